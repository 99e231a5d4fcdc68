// Stage 6: whether a would-be best is one. Everything is fresh: the process,
// the inputs, their seeds, the gate's whole list; the number of pairs is
// stated beforehand.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "evoke/core/outcome.h"
#include "evoke/evaluation/judge/gate.h"
#include "evoke/evaluation/judge/judging.h"
#include "evoke/evaluation/judge/race_track.h"
#include "evoke/evaluation/judge/validation.h"
#include "evoke/evaluation/judge/workbench.h"
#include "evoke/evolution/interfaces/evaluator.h"

namespace evoke::judge {

struct ConfirmerOptions {
  int num_pairs = 40;  // per shape
  double confidence = 0.999;
  int warm_pairs = 15;     // against the reference, for the record
  int secret_lengths = 2;  // timed per variant and kind of shape
  int baseline_pairs = 20;
  double baseline_confidence = 0.99;
  GateOptions gate{
      .call_timeout_ms = 20'000, .scratch_repeats = 100, .verify_inputs = true};
  std::vector<ValidationTool> tools;  // that have to be content as well
};

class Confirmer {
 public:
  // What scores are relative to, as tables name it.
  struct Reference {
    std::string name;
    std::string text;
  };
  // All must outlive it. `baselines` are raced as well, for the record.
  Confirmer(Workbench& bench, RaceTrack& track, Reference reference,
            std::vector<Opponent*> baselines, ConfirmerOptions options);

  // `confirmed`: right everywhere, faster than the rival (when there is one)
  // beyond what noise can do, slower than it at no secret length, and not
  // faster than the machine can be. Its measurements hold the races against
  // the reference, the rival and the baselines, in this order.
  Outcome confirm(const EvaluationRequest& request);

 private:
  void race(Judging& judging, const EvaluationRequest& request,
            std::vector<Shape>& timed, std::vector<ShapeMeasurement>& shapes);
  std::vector<ShapeMeasurement> race_kernel(Judging& judging, RaceTrack& track,
                                            const Reference& opponent,
                                            const RaceTrack::Request& request,
                                            CacheState state);
  void judge_race(Judging& judging, const RaceTrack& track,
                  const std::vector<ShapeMeasurement>& shapes, bool must_win);
  void race_baselines(Judging& judging, std::vector<ShapeMeasurement>& shapes);
  Workload with_secret_lengths(const KernelBuild& build,
                               const std::string& rival) const;

  Workbench& bench_;
  RaceTrack& track_;
  Reference reference_;
  std::vector<Opponent*> baselines_;
  ConfirmerOptions options_;
  Validators validators_;
};

}  // namespace evoke::judge
