// Drives one search to its end: asks for proposals, feeds the evaluator,
// records every step before the next one is applied. Proposals and outcomes
// are taken in order of arrival, so nothing that is there waits for what is
// slow.
#pragma once

#include <cstdint>
#include <functional>

#include "evoke/evolution/evolution.h"

namespace evoke {

struct SearchLoopOptions {
  std::function<double()> elapsed_s;  // since the run began; never falls
  // After each recorded step, and whenever `poll_ms` passed without one.
  std::function<void(const Evolution&, const Step*)> progress;
  // Asked as often; true: end as soon as what is in flight has come in.
  std::function<bool()> stop;
  // Asked as often; true: drop what is in flight and return.
  std::function<bool()> abandon;
  int64_t poll_ms = 200;
};

// Returns whether the search came to its end; false: abandoned, and a resumed
// run will judge again what was in flight. What EventSink::record throws
// passes through, after the evaluator was cancelled.
bool run_search(Evolution& evolution, ProposalDesk& desk, Evaluator& evaluator,
                EventSink& sink, const SearchLoopOptions& options);
// With one proposer that answers at once, on the calling thread.
bool run_search(Evolution& evolution, Proposer& proposer, Evaluator& evaluator,
                EventSink& sink, const SearchLoopOptions& options);

}  // namespace evoke
