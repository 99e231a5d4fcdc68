// What outcomes say of themselves: features for maps, lines for prompts.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "evoke/base/json.h"
#include "evoke/core/measurements.h"
#include "evoke/evaluation/judge/gate.h"
#include "evoke/evaluation/judge/kernel_build.h"

namespace evoke::judge {

// "source_bytes", "code_bytes", "launches", "threadgroup_bytes",
// "scratch_bytes", and every other number that the compiler reported (summed
// over units). Launches, threadgroup and scratch bytes are the largest over
// `shapes`.
std::map<std::string, double> features_of(const KernelBuild& build,
                                          const std::vector<Shape>& shapes);

// "1.034 x the reference (1.021 to 1.047); decode-256 1.10 x faster, ...".
std::string describe(const Measurements& measurements, const Fitness& fitness);

// One row per case, for tables and post-mortems.
Json to_json(const std::vector<CaseResult>& results);

}  // namespace evoke::judge
