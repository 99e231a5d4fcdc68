// One side of a race at one shape: an implementation in a runner of its own,
// bound to the shared copies of the inputs. Belongs to one thread at a time.
//
// A *slot* is a call of its own: one copy of the inputs and an output. Slots
// of copies that follow one another in the rotation have different outputs,
// max_block_calls() of them, so that every output of a timed block can be
// looked at afterwards.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "evoke/core/launch_plan.h"
#include "evoke/core/measurements.h"
#include "evoke/core/problem.h"
#include "evoke/evaluation/judge/call_memory.h"
#include "evoke/evaluation/judge/loaded_kernel.h"
#include "evoke/evaluation/judge/runner.h"
#include "evoke/evaluation/judge/timing_inputs.h"

namespace evoke::judge {

// What was wrong with an arm's answers; nothing when all is well.
struct ArmFailure {
  bool out_of_bounds = false;
  bool changed = false;  // right when it was checked, another answer later
  std::string message;
};

// What a runner holds for the arms of one shape.
struct ArmMemory {
  explicit ArmMemory(const std::shared_ptr<Runner>& runner)
      : workspace(runner) {}
  int inputs_buffer = 0;  // 0: not lent yet
  Workspace workspace;    // outputs, then scratch
};

class Arm {
 public:
  // `slots`: the copy that each slot reads. `memory`, of the same runner and
  // these inputs, outlives the arm and may have served others before; null:
  // the arm has memory of its own and takes it back.
  static RunnerResult<std::unique_ptr<Arm>> of_kernel(
      std::string name, LoadedKernel& kernel,
      std::shared_ptr<TimingInputs> inputs, std::vector<int> slots,
      ArmMemory* memory = nullptr);
  // Outputs of a baseline are checked once and not in timed blocks: it may
  // leave them in memory of its own.
  static RunnerResult<std::unique_ptr<Arm>> of_baseline(
      std::shared_ptr<Runner> runner, std::shared_ptr<TimingInputs> inputs,
      std::vector<int> slots);
  ~Arm();

  const std::string& name() const { return name_; }
  int num_slots() const { return static_cast<int>(slots_.size()); }
  // As many calls as a block can have, each with an output of its own.
  int max_block_calls() const { return num_outputs_; }
  // A baseline's own way of computing, once something was ensured.
  const std::string& path() const { return path_; }
  // What the gate has against a baseline's answers; it is raced all the same.
  const std::string& wrong() const { return wrong_; }

  // Untimed: binds these slots, runs each once and checks the answers against
  // the truth. Does nothing for slots that went through it before.
  RunnerResult<std::optional<ArmFailure>> ensure(std::span<const int> slots,
                                                 int64_t timeout_ms);
  // Untimed: makes these slots ready to be staged.
  RunnerResult<void> bind(std::span<const int> slots);
  // Whether the device times itself: then the host's clock and its moods are
  // no part of a measurement.
  bool has_own_clock() const { return runner_->greeting().own_clock; }
  // One call, from the untimed runs; infinite before there were any.
  double estimated_us() const { return estimated_us_; }

  // A timed block: stage() runs a call that was run before, untimed, poisons
  // outputs and scratch and says what comes, go() runs it and gives
  // nanoseconds, verify() compares every output with the truth, or bitwise
  // with the answer to the same inputs that was checked.
  RunnerResult<void> stage(std::span<const int> slots, int64_t timeout_ms);
  // Empty: the device's own clock, which alone counts where there is one, saw
  // the host's share as well.
  RunnerResult<std::optional<int64_t>> go(int64_t timeout_ms);
  RunnerResult<std::optional<ArmFailure>> verify();

  // While it lives, a baseline's process stands still: a library's idle
  // threads may spin for milliseconds after a call, beside the other arm.
  // Kernels' processes have no threads of their own.
  class StandStill {
   public:
    explicit StandStill(const Arm& arm);
    ~StandStill();
    StandStill(const StandStill&) = delete;
    StandStill& operator=(const StandStill&) = delete;

   private:
    const Arm& arm_;
  };

 private:
  Arm(std::string name, std::shared_ptr<Runner> runner,
      std::shared_ptr<TimingInputs> inputs, std::vector<int> slots,
      ArmMemory* memory);
  RunnerResult<void> lend_memory(int64_t scratch_bytes);
  // Of calls that were the last to run: brings back what has to be seen, and
  // checks the answers.
  RunnerResult<std::optional<ArmFailure>> look_at(std::span<const int> slots);
  // The same in a device's own memory. `hashes`: by slot; none where the device
  // gives no digests.
  RunnerResult<std::optional<ArmFailure>> collect(
      std::span<const int> slots, std::vector<std::string>& hashes);
  // Whether they are looked at in a device's own memory first, where a kernel
  // leaves them.
  bool answers_are_apart() const {
    return !baseline_ && runner_->greeting().own_memory;
  }
  bool is_decided(int slot, const std::string& hash) const;
  int num_checkers() const;
  // `hash`: of the slot's output, the judge's own or the device's digest.
  std::optional<ArmFailure> check(int slot, const std::string& hash,
                                  int num_threads);
  std::optional<ArmFailure> check_all(std::span<const int> slots,
                                      const std::vector<std::string>& hashes);
  int64_t output_offset(int slot) const;
  std::span<std::byte> output_of(int slot) const;
  std::vector<int> next_batch(std::span<const int> slots) const;
  // Makes these outputs, and scratch, NaN.
  void poison(std::span<const int> slots);
  RunnerResult<void> push(std::span<const int> slots);
  RunnerResult<void> pull(std::span<const int> slots);
  // Both sides begin a block alike, whatever happened in between: code and
  // stacks in the caches, threads awake.
  RunnerResult<void> wake(int64_t timeout_ms);
  std::vector<std::string> hashes_of(std::span<const int> slots) const;
  RunnerResult<void> run_untimed(std::span<const int> slots,
                                 int64_t timeout_ms);

  std::string name_;
  std::shared_ptr<Runner> runner_;
  std::shared_ptr<TimingInputs> inputs_;
  std::vector<int> slots_;
  // One of these two prepares calls.
  LoadedKernel* kernel_ = nullptr;
  std::optional<LaunchPlan> plan_;
  std::optional<ScratchMemory> scratch_;
  bool atomics_ = false;
  bool baseline_ = false;

  std::size_t output_index_ = 0;
  int64_t output_bytes_ = 0;
  std::optional<ArmMemory> own_memory_;
  ArmMemory& memory_;  // may be that
  int num_outputs_ = 0;
  int64_t scratch_offset_ = 0;
  std::vector<int> outputs_;        // per slot
  std::vector<int> calls_;          // per slot; 0: not bound
  std::vector<bool> ensured_;       // per slot
  std::vector<std::string> right_;  // per copy, a hash; empty: unknown
  std::vector<int> staged_;
  int woken_by_ = -1;  // a slot that was run before; -1: none yet
  std::string path_;
  std::string wrong_;
  std::string damage_;  // that an untimed run did where the judge cannot see
  double estimated_us_;
};

// Cold: every copy once. Warm: one copy again and again.
std::vector<int> slots_for(CacheState state, int num_copies);

}  // namespace evoke::judge
