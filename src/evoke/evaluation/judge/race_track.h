// A workload ready to be raced on: inputs of every shape, and what this
// machine can tell apart.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "evoke/core/measurements.h"
#include "evoke/core/problem.h"
#include "evoke/evaluation/judge/arm.h"
#include "evoke/evaluation/judge/opponent.h"
#include "evoke/evaluation/judge/race.h"
#include "evoke/evaluation/judge/race_turns.h"
#include "evoke/evaluation/judge/roofline.h"
#include "evoke/evaluation/judge/same_kernel_noise.h"
#include "evoke/evaluation/judge/timing_inputs.h"
#include "evoke/evaluation/judge/workbench.h"

namespace evoke::judge {

class RaceTrack;

struct RaceTrackOptions {
  double block_ms = 1.0;
  // Per shape; 0: twice the smallest footprint that no cache serves, as
  // measured here, within a share of the free memory.
  int64_t rotation_bytes = 0;
  int min_copies = 8;
  int max_copies = 2048;
  int64_t call_timeout_ms = 10'000;
  double max_probe_change = 0.06;  // see RaceOptions
  // Races of a kernel against itself, for the minimum detectable effect:
  // each in fresh processes.
  int same_kernel_races = 3;
  int same_kernel_pairs = 12;
  // Of the same with unseen inputs; each pair is one of fresh processes.
  int unseen_same_kernel_pairs = 24;
  // Candidates follow one another in one process, as they always do where the
  // device has a clock of its own.
  bool one_process = false;
  // Only for races on unseen inputs: no more copies than those take, where a
  // device must have them all in its own memory.
  bool unseen = false;
  // Another track of this machine, whose roofline, rotation and noise are
  // taken over instead of being measured again.
  const RaceTrack* like = nullptr;
  // A track over the same workload on another device, whose inputs serve here
  // as well; all that is measured is measured. Of open() alone: the track's
  // options() do not hold it.
  const RaceTrack* inputs_of = nullptr;
};

// The kernel's own fault, or nothing.
struct RaceFailure {
  std::string shape;
  ArmFailure failure;
};

struct RaceResult {
  // In the workload's order; without those that the opponent cannot do.
  std::vector<ShapeMeasurement> shapes;
  std::optional<RaceFailure> failure;
  bool stopped_early = false;
  // Of the race's time, what making inputs took, what untimed calls took, what
  // pairs took, how long others' calls kept a turn from beginning, and what is
  // done about programs and memory in it; the rest was waiting for the turn.
  int64_t inputs_ns = 0;
  int64_t practice_ns = 0;
  int64_t pairs_ns = 0;
  int64_t claim_ns = 0;
  int64_t loading_ns = 0;
};

class RaceTrack {
 public:
  // Makes inputs (unseen ones when they are raced on) and measures the
  // roofline. Takes seconds. `bench` must outlive it.
  static RunnerResult<std::unique_ptr<RaceTrack>> open(
      Workbench& bench, const Workload& workload,
      const RaceTrackOptions& options);

  // Plans and compiles a kernel to race against. `unavailable`: it cannot be
  // one.
  RunnerResult<std::unique_ptr<Opponent>> opponent(
      const std::string& name, const std::string& text,
      CacheState state = CacheState::cold) const;
  std::unique_ptr<Opponent> baseline(const std::string& name,
                                     CacheState state = CacheState::cold) const;

  // Races a kernel against itself in fresh processes: nothing may be called a
  // difference that shows up here.
  RunnerResult<void> race_same_kernel(Opponent& kernel);
  // The same for races on unseen inputs, at the timed shapes of which that is
  // not known and that are not left out (by shape), and at secret ones beside
  // them.
  RunnerResult<void> race_same_kernel_unseen(Opponent& kernel,
                                             std::vector<bool> left_out);

  struct Request {
    int num_pairs = 8;
    double stop_below_fitness = 0;  // 0: never
    double confidence = 0.95;
    // Every pair is one of fresh processes, and every timed call meets inputs
    // that its process has never run: whatever a kernel may have kept for
    // itself is worth nothing, and no one process decides. Cold inputs and
    // kernels only.
    bool unseen_inputs = false;
    // Shapes at which the candidate is the opponent, by machine code and
    // launches, get 1 without a race.
    bool skip_same_code = false;
  };
  // Untimed work first, holding a share of the device; then the exclusive
  // claim. Thread-safe. Faults of the candidate's runner come back as they
  // are, those of the opponent's as `unavailable`, and so does a machine so
  // restless that some shape has no pair at all.
  RunnerResult<RaceResult> race(LoadedKernel& candidate, Opponent& opponent,
                                const Request& request);

  // By shape: whether the two are the same machine code there, launched alike.
  std::vector<bool> same_code(const KernelBuild& candidate,
                              const Opponent& opponent) const;

  // What noise is here, in races on inputs that were seen, and on unseen ones.
  const SameKernelNoise& noise(bool unseen_inputs) const {
    return unseen_inputs ? noise_->unseen : noise_->seen;
  }
  double roof_us(const Shape& shape, CacheState state) const;
  // Measures the roofline again and keeps the better one.
  RunnerResult<void> remeasure_roofline();
  Roofline roofline() const;
  int64_t rotation_bytes() const { return rotation_bytes_; }
  // Time of an empty block: what of every measured block is not the kernel.
  double empty_block_us() const { return empty_block_us_; }
  const Workload& workload() const { return workload_; }
  const std::string& device() const { return bench_.options().device; }
  std::vector<Shape> shapes() const;
  const RaceTrackOptions& options() const { return options_; }

 private:
  struct ShapeTrack {
    WorkloadShape shape;
    std::shared_ptr<TimingInputs> inputs;
  };
  struct Noise {
    SameKernelNoise seen;
    SameKernelNoise unseen;
  };
  // A candidate at one shape, ready to be timed.
  struct Entry {
    std::size_t shape = 0;
    std::unique_ptr<Arm> arm;
    std::unique_ptr<Race> race;
    int wanted_pairs = 0;
  };
  // Of two fresh processes; the candidate's arms lie in the entries.
  struct UnseenPair {
    std::shared_ptr<Opponent::Side> opponent;
    std::vector<Entry> entries;
  };
  // Where one candidate after another is timed on a device with memory of its
  // own: to bring all inputs there takes longer than to time them. Programs
  // run on the device alone and are unloaded; beside inputs only the memory of
  // outputs and scratch outlasts a race, and each call finds it wiped.
  struct Stall {
    std::shared_ptr<Runner> runner;
    std::vector<std::unique_ptr<ArmMemory>> memory;  // by shape
    bool used = false;
  };
  // Calls of a process at each shape, before it is timed.
  static constexpr int kPracticeCalls = 3;
  // Pairs of one shape, over several processes.
  struct Tally {
    std::vector<TimedPair> pairs;
    int missing = 0;
    int discarded_pairs = 0;
    int calls_per_block = 0;
  };

  RaceTrack(Workbench& bench, Workload workload, RaceTrackOptions options);
  // Whether candidates follow one another in one process.
  bool in_one_process() const {
    return options_.one_process || bench_.greeting().own_clock;
  }
  RunnerResult<RaceResult> race_twin(Opponent& kernel, const Request& request);
  RunnerResult<void> choose_rotation();
  RunnerResult<void> make_inputs();
  // What nobody filled so far.
  RunnerResult<void> fill_inputs(const std::vector<bool>& left_out);
  TimingInputs::Options inputs_options(const Shape& shape) const;
  RunnerResult<void> measure_empty_block(Opponent& kernel);
  Opponent::Inputs inputs() const;
  OpponentOptions opponent_options(CacheState state) const;
  // Defined in race_unseen.cpp.
  RunnerResult<RaceResult> race_unseen(const KernelBuild& candidate,
                                       Opponent& opponent,
                                       const Request& request,
                                       const std::vector<bool>& left_out);
  RunnerResult<void> race_once_unseen(const KernelBuild& candidate,
                                      Opponent& opponent,
                                      std::vector<Tally>& tallies,
                                      RaceResult& result);
  RunnerResult<UnseenPair> practise_unseen(LoadedKernel& candidate,
                                           Opponent& opponent,
                                           std::shared_ptr<Runner> other,
                                           const std::vector<bool>& left_out,
                                           RaceResult& result);
  RunnerResult<RaceResult> race_seen(LoadedKernel& candidate,
                                     Opponent& opponent,
                                     const Request& request);
  RunnerResult<RaceResult> race_in_stall(const KernelBuild& candidate,
                                         Opponent& opponent,
                                         const Request& request);
  RunnerResult<RaceResult> race_in_turn(const KernelBuild& candidate,
                                        Opponent& opponent,
                                        Opponent::Side& side,
                                        const Request& request);
  RunnerResult<RaceResult> race_in(LoadedKernel& candidate, Stall* stall,
                                   Opponent& opponent, Opponent::Side& side,
                                   const Request& request);
  // Untimed work, then the pairs; `left_out`: by shape. In a stall the turn is
  // the candidate's already.
  RunnerResult<void> run_up_to(int num_pairs, LoadedKernel& candidate,
                               Stall* stall, Opponent::Side& side,
                               const std::vector<bool>& left_out,
                               std::vector<Entry>& entries, RaceResult& result);
  RunnerResult<void> prepare(int num_pairs, LoadedKernel& candidate,
                             Stall* stall, Opponent::Side& side,
                             const std::vector<bool>& left_out,
                             std::vector<Entry>& entries, RaceResult& result);
  // A candidate's arm that has practised, or its failure; then what it does
  // against an opponent.
  RunnerResult<std::unique_ptr<Arm>> practised(
      LoadedKernel& candidate, Stall* stall, std::size_t shape,
      CacheState state, std::optional<ArmFailure>& failure);
  Entry enter(std::unique_ptr<Arm> arm, std::size_t shape, Opponent::Side& side,
              bool unseen);
  RunnerResult<void> run(std::vector<Entry>& entries, int tries_per_pair,
                         RaceResult& result);
  ShapeMeasurement measurement(const Request& request, std::size_t shape,
                               ShapeMeasurement measured) const;
  static tl::unexpected<RunnerFault> blame_opponent(const Opponent& opponent,
                                                    const RunnerFault& why);
  bool clearly_below(const Request& request, const std::vector<Entry>& entries,
                     const std::vector<bool>& same_code) const;
  // By shape: whether the request leaves it out for being the same.
  std::vector<bool> left_out(const KernelBuild& candidate,
                             const Opponent& opponent,
                             const Request& request) const;
  ShapeMeasurement same_code_measurement(const Request& request,
                                         std::size_t shape,
                                         const Opponent& opponent) const;

  Workbench& bench_;
  Workload workload_;
  RaceTrackOptions options_;
  int64_t rotation_bytes_ = 0;
  double empty_block_us_ = 0;
  std::vector<ShapeTrack> tracks_;
  std::shared_ptr<Noise> noise_;  // shared by tracks that are alike
  // Held inside the exclusive claim, which keeps threads apart as well but is
  // a matter of the operating system: the language knows mutexes only.
  std::mutex timing_;
  std::shared_ptr<RaceTurns> turns_;  // as noise_; guards stall_
  std::optional<Stall> stall_;

  mutable std::mutex mutex_;  // guards what follows
  Roofline roofline_;
};

}  // namespace evoke::judge
