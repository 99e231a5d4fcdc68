// How a runner's end shows in the outcome of the candidate that it ran.
#pragma once

#include "evoke/core/outcome.h"
#include "evoke/evaluation/judge/runner_fault.h"

namespace evoke::judge {

// `infrastructure_failed` for what says nothing about the candidate.
OutcomeKind outcome_of(RunnerFault::Kind kind);

}  // namespace evoke::judge
