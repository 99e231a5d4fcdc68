// Shapes named on the command line.
#pragma once

#include <string>
#include <vector>

#include "evoke/core/problem.h"

namespace evoke::cli {

// Each of `asked` is a shape of the workload or of a built-in one by its name,
// or letters, "B=8,Lk=4096": missing ones are Qwen3-0.6B's, `causal` (0 or 1)
// is 1 where there are several queries. Nothing asked: the whole workload.
// Throws UsageError.
Workload choose_shapes(const Workload& workload,
                       const std::vector<std::string>& asked);

}  // namespace evoke::cli
