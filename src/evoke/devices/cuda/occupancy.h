// How many threadgroups fit on one SM at a time, from a kernel's numbers and
// the architecture's: the arithmetic of NVIDIA's occupancy calculator.
#pragma once

#include <cstdint>
#include <string_view>

namespace evoke::cuda {

// Of one SM, compute capability 9.0 by default.
struct SmLimits {
  int64_t registers = 65536;
  int64_t shared_bytes = 233472;         // 228 KB
  int64_t reserved_shared_bytes = 1024;  // per threadgroup, the system's
  int64_t threads = 2048;
  int64_t threadgroups = 32;
  int64_t warp_size = 32;
  int64_t register_unit = 256;  // per warp
  int64_t shared_unit = 128;
};

struct Occupancy {
  int64_t threadgroups = 0;  // per SM; 0: it does not fit at all
  double fraction = 0;       // of the SM's warps
  // What runs out first: "registers", "threadgroup memory", "threads" or
  // "threadgroups".
  std::string_view limited_by;
};

// `shared_bytes`: static and dynamic together.
Occupancy occupancy_of(int64_t registers, int64_t threads, int64_t shared_bytes,
                       const SmLimits& limits);

}  // namespace evoke::cuda
