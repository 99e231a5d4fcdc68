// What a cuda kernel's __launch_bounds__ says: known before any shape, since
// it is compiled into the kernel.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "evoke/base/error.h"
#include "evoke/core/kernel_source.h"
#include "evoke/core/launch_plan.h"

namespace evoke {

struct LaunchBounds {
  int64_t max_threads = 0;  // per threadgroup; 0: `threads` needs a shape
  int64_t min_blocks = 0;   // per SM; 0: not said
  bool operator==(const LaunchBounds&) const = default;
};

// Over all launches of `kernel_name` in the unit's variant. The error names
// the key.
Result<LaunchBounds> launch_bounds(const KernelSource& kernel,
                                   const CompileUnit& unit,
                                   std::string_view kernel_name);

// The most dynamic threadgroup memory that a launch of `kernel_name` asks for,
// in bytes; empty when that depends on the shape.
std::optional<int64_t> known_dynamic_memory(const KernelSource& kernel,
                                            const CompileUnit& unit,
                                            std::string_view kernel_name,
                                            const DeviceLimits& limits);

}  // namespace evoke
