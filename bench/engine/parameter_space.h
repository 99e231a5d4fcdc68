// The settings of a kernel file's parameters, and what was measured of each.
#pragma once

#include <string>
#include <vector>

#include "evoke/core/kernel_source.h"

namespace evoke::bench {

// The same kernel with fewer choices: "tile_q=16,32". The first value becomes
// the parameter's own unless its own is among them. Throws UsageError.
KernelSource restricted(const KernelSource& source,
                        const std::vector<std::string>& only);

// Every setting that the constraints allow, as they are checked at D = 128,
// Hq = 16, Hkv = 8; in lexicographic order.
std::vector<KernelPlan> settings_of(const KernelPlan& plan);

// The values, in the order of the plan's parameters: "1,0,4".
std::string key_of(const KernelPlan& plan, char separator = ',');
// The beginning of a CSV row that is such a key.
std::string key_of_row(const std::string& row, const KernelPlan& plan);
// "engine,pack_heads,...,kind,fitness,same_code_as"
std::string header_of(const KernelPlan& plan);

}  // namespace evoke::bench
