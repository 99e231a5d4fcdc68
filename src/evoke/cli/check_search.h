// A search without a clock: proposals are checked, and those that are right
// are kept for a machine that can time them.
#pragma once

#include <string>
#include <vector>

#include "evoke/cli/context.h"
#include "evoke/cli/founders.h"
#include "evoke/cli/laboratory.h"
#include "evoke/core/run_config.h"

namespace evoke::cli {

// Founders and, as long as the budget of `config` lasts, proposals of the
// built-in proposer go through the gate. Parents are drawn evenly among all
// that were right: nothing is ranked. Written to `folder`:
//   right/NNNN.metal   kernel files that passed, to start from elsewhere
//   checked.jsonl      every candidate, what it was made from, its outcome
// Gives the exit code: 1 when no founder is right.
int check_search(const Context& context, const Laboratory& laboratory,
                 const RunConfig& config,
                 const std::vector<SeedKernel>& founders,
                 const std::string& folder);

}  // namespace evoke::cli
