// One run of the search, from its set-up to its last line.
#pragma once

#include <optional>
#include <string>

#include "evoke/cli/context.h"
#include "evoke/core/run_config.h"
#include "evoke/proposers/llm/llm_config.h"

namespace evoke::cli {

struct EvolveRunOptions {
  std::string folder;
  bool resume = false;
  // Of a resumed run, instead of the recorded one.
  std::optional<BudgetConfig> budget;
  std::string device;  // empty: the recorded one
  // For the proposer `llm`; a resumed run takes what was recorded, but for the
  // money.
  std::optional<llm::LlmConfig> llm;
  std::optional<double> llm_budget_usd;
};

// Returns the exit status: 0 also when no better kernel was found. Throws
// StartupError when it cannot begin or cannot go on; what was recorded stays.
int evolve(const Context& context, RunConfig config,
           const EvolveRunOptions& options);

}  // namespace evoke::cli
