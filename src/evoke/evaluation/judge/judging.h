// One candidate's way through the stages. Each step may end it with an
// outcome; after that the other steps must not be taken.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "evoke/core/outcome.h"
#include "evoke/evaluation/judge/gate.h"
#include "evoke/evaluation/judge/novelty.h"
#include "evoke/evaluation/judge/race_track.h"
#include "evoke/evaluation/judge/stage_clock.h"
#include "evoke/evaluation/judge/validation.h"
#include "evoke/evaluation/judge/workbench.h"

namespace evoke::judge {

enum class CaseSeeds {
  pooled,  // the same secret ones for many candidates: made once
  fresh,   // never used before
};

class Judging {
 public:
  // `shapes`: what the candidate will be timed on. All must outlive it.
  Judging(Workbench& bench, const Candidate& candidate,
          std::vector<Shape> shapes);

  void plan();
  // The candidate that came first with this genome, or this machine code
  // launched in the same way, ends the judging as `duplicate`.
  void check_genome(Novelty& novelty);
  void check_objects(Novelty& novelty);
  // Everything that the shapes and the gate's cases at these levels need, so
  // that later stages need no compiler.
  void compile(const Workload& workload, const std::vector<GateLevel>& levels);
  // And what these shapes need.
  void compile(const std::vector<Shape>& shapes);
  // In a fresh runner.
  void load();
  // In one where others passed, if there is one: a case that fails there is
  // checked again in a fresh one, and that decides.
  void load_in_gate_runner();
  void run_gate(Stage stage, const Workload& workload, GateLevel level,
                const GateOptions& options, CaseSeeds seeds);
  // What tools of the device's maker saw.
  void take_validation(RunnerResult<Validators::Verdict> verdict);
  // Empty when it ended.
  std::optional<RaceResult> race(RaceTrack& track, Opponent& opponent,
                                 const RaceTrack::Request& request);
  // Quicker than the machine can be: below `suspicion` of the roof the
  // roofline is measured again; a number that is still impossible is vetoed.
  // `timed`: the shapes that were timed.
  void veto_implausible(RaceTrack& track, const std::vector<Shape>& timed,
                        std::vector<ShapeMeasurement>& shapes,
                        double suspicion = kImplausibleShare);
  // Ends it well: `measured` or `confirmed`, with a fitness.
  void end_measured(OutcomeKind kind, std::vector<ShapeMeasurement> shapes);

  void end(OutcomeKind kind, std::string message);
  void end(const RunnerFault& fault);
  void end(const ArmFailure& failure);
  // Of a stage that has several: how long a step took, for the record.
  void add_step(const std::string& step, int64_t ns);
  bool done() const { return done_; }
  void enter(Stage stage) { clock_.enter(stage); }
  const std::vector<Shape>& shapes() const { return shapes_; }
  const KernelBuild& build() const { return *build_; }
  LoadedKernel& kernel() { return *kernel_; }
  Outcome& outcome() { return outcome_; }
  // Closes the books.
  Outcome finish();

 private:
  void end_as_duplicate(CandidateId holder, const std::string& what);
  void load_in(RunnerResult<GateRunner> taken);
  void give_back_runner();

  Workbench& bench_;
  const Candidate& candidate_;
  std::vector<Shape> shapes_;
  Outcome outcome_;
  StageClock clock_;
  std::optional<KernelBuild> build_;
  std::optional<LoadedKernel> kernel_;
  int candidates_before_ = 0;  // in the kernel's runner
  std::vector<CaseResult> cases_;
  bool done_ = false;
};

}  // namespace evoke::judge
