// Other people's programs behind a runner's walls: `evoke import` runs Python
// there.
#pragma once

#include <string>
#include <vector>

#include "evoke/evaluation/runner/runner.h"

namespace evoke::runner {

// Becomes `program` (arguments[0] is its path, the environment stays), behind
// the walls of options.role. Returns only when that fails: why.
std::string become_program(const RunnerOptions& options,
                           const std::vector<std::string>& arguments);

}  // namespace evoke::runner
