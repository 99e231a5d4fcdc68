// Stages 0 to 5 for one candidate: plan, novelty, compile, screen, gate,
// time. Each can end the judging with an outcome; cheap ones come first.
#pragma once

#include "evoke/core/outcome.h"
#include "evoke/evaluation/judge/gate.h"
#include "evoke/evaluation/judge/novelty.h"
#include "evoke/evaluation/judge/race_track.h"
#include "evoke/evaluation/judge/workbench.h"
#include "evoke/evolution/interfaces/evaluator.h"

namespace evoke::judge {

struct CascadeOptions {
  int num_pairs = 8;  // per shape
  double confidence = 0.95;
  GateOptions screen{.call_timeout_ms = 5'000};
  GateOptions gate{.call_timeout_ms = 10'000};
};

class Cascade {
 public:
  // All must outlive it. Thread-safe: candidates may be judged side by side.
  Cascade(Workbench& bench, RaceTrack& track, Opponent& reference,
          Novelty& novelty, CascadeOptions options);

  // Purposes `score` and `remeasure` (which skips novelty and the gate).
  Outcome judge(const EvaluationRequest& request);

 private:
  Workbench& bench_;
  RaceTrack& track_;
  Opponent& reference_;
  Novelty& novelty_;
  CascadeOptions options_;
};

}  // namespace evoke::judge
