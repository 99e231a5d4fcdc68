// Runs what is not in the journal yet: pairs in random order, then how far
// the logits are apart, once per scenario.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/base/json.h"
#include "evoke/compare/pair_journal.h"
#include "evoke/compare/scenarios.h"

namespace evoke::compare {

enum class RunKind { baseline, kernel, agreement };

// Runs a fresh process and gives the JSON that it printed. `timed_out`: asked
// to stop.
using StartRun = std::function<Result<Json>(const Scenario&, RunKind)>;

struct LoopProgress {
  int done = 0;  // processes, those of the journal too
  int all = 0;
  std::string scenario;  // at work now; empty at the end
  double left_s = -1;    // below 0: not known yet
};

struct LoopOptions {
  std::vector<Scenario> scenarios;
  int pairs = 6;
  bool with_kernel = true;
  bool with_agreement = true;  // needs a kernel
  uint64_t seed = 1;           // of the order
  std::function<void(const LoopProgress&)> progress;
};

// The order is a matter of the seed alone, so that a resumed comparison is
// the one that was begun. Stops at the first failure; what is finished is in
// the journal.
Result<void> run_pairs(const LoopOptions& options, PairJournal& journal,
                       const StartRun& start);

}  // namespace evoke::compare
