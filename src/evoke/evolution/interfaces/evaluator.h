// Judges candidates, several at a time. Implementation: evaluation/judge.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "evoke/core/candidate.h"
#include "evoke/core/outcome.h"

namespace evoke {

enum class EvaluationPurpose {
  score,      // stages 0-5
  remeasure,  // stage 5 again: an elite whose cell is challenged within noise
  confirm,    // stage 6: fresh process, fresh seeds, against `rival_text`
};

struct EvaluationRequest {
  Candidate candidate;
  EvaluationPurpose purpose = EvaluationPurpose::score;
  // Score: timing stops early once the candidate is clearly below this
  // fitness. 0: never.
  double stop_below_fitness = 0;
  // Confirm: the genome to beat, that of the best or, as long as there is none,
  // of the best founder; empty for a founder that stands in for a best.
  std::string rival_text;
};

class Evaluator {
 public:
  virtual ~Evaluator() = default;
  virtual void submit(EvaluationRequest request) = 0;
  // The next finished outcome, in order of arrival; empty after `timeout_ms`.
  virtual std::optional<Outcome> wait(int64_t timeout_ms) = 0;
  // A wait() that is in progress, or else the next one, returns at once. From
  // any thread.
  virtual void wake() = 0;
  virtual int in_flight() const = 0;
  // Drops what has not started and kills what has; nothing of it is reported.
  virtual void cancel() = 0;
};

}  // namespace evoke
