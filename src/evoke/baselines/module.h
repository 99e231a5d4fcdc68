// The one entry point of a baseline's loadable module,
// libevoke_baseline_NAME.so. Module and program come from the same build.
#pragma once

#include <memory>
#include <string>

#include "evoke/baselines/baseline.h"

#define EVOKE_BASELINE_MODULE extern "C" __attribute__((visibility("default")))

namespace evoke::baselines {

// Opens the baseline `name` (a module may hold several) into `*reply`. Throws
// nothing. Exported as evoke_open_baseline.
using OpenModule = void(const std::string& name, int num_threads,
                        Result<std::unique_ptr<Baseline>>* reply);
inline constexpr const char* kOpenModule = "evoke_open_baseline";

}  // namespace evoke::baselines
