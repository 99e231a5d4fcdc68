// Where a search writes what happened. One Step is one transaction: it is
// durable before the next one is applied. Implementation: store/.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "evoke/base/json.h"
#include "evoke/core/candidate.h"
#include "evoke/core/outcome.h"
#include "evoke/evolution/interfaces/evaluator.h"
#include "evoke/evolution/interfaces/proposer.h"

namespace evoke {

// A consequence of a step. docs/run-format.md lists the kinds.
struct Effect {
  std::string kind;
  Json detail = Json::object();
};

struct Step {
  int64_t sequence = 0;  // 1, 2, ... without gaps
  Candidate candidate;
  EvaluationPurpose purpose = EvaluationPurpose::score;
  Outcome outcome;
  std::vector<Effect> effects;
  double elapsed_s = 0;  // since the run began, resumed time included
};

class EventSink {
 public:
  virtual ~EventSink() = default;
  // Throws StartupError when it cannot be recorded (disk full): the search
  // must not go on as if it had been.
  virtual void record(const Step& step) = 0;
  // Recorded when it ends, and so before the step of its candidate. Throws as
  // record() does.
  virtual void record_call(const LlmCall& /*call*/) {}
  // The same at once, when a step is there as soon as the calls are.
  virtual void record_all(const std::vector<LlmCall>& calls, const Step& step) {
    for (const LlmCall& call : calls) record_call(call);
    record(step);
  }
};

}  // namespace evoke
