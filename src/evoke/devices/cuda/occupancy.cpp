#include "evoke/devices/cuda/occupancy.h"

#include <algorithm>
#include <array>
#include <limits>

namespace evoke::cuda {
namespace {

int64_t rounded_up(int64_t value, int64_t unit) {
  return (value + unit - 1) / unit * unit;
}

}  // namespace

Occupancy occupancy_of(int64_t registers, int64_t threads, int64_t shared_bytes,
                       const SmLimits& limits) {
  // An SM has four partitions, and a warp's registers come from one of them.
  constexpr int64_t kPartitions = 4;
  Occupancy result;
  const int64_t warps =
      std::max<int64_t>((threads + limits.warp_size - 1) / limits.warp_size, 1);
  const int64_t per_warp =
      std::max(rounded_up(registers * limits.warp_size, limits.register_unit),
               limits.register_unit);
  const int64_t warps_by_registers =
      limits.registers / kPartitions / per_warp * kPartitions;
  const int64_t shared = rounded_up(shared_bytes + limits.reserved_shared_bytes,
                                    limits.shared_unit);
  struct Limit {
    int64_t threadgroups;
    std::string_view name;
  };
  const std::array<Limit, 4> all{{
      {warps_by_registers / warps, "registers"},
      {shared > 0 ? limits.shared_bytes / shared
                  : std::numeric_limits<int64_t>::max(),
       "threadgroup memory"},
      {limits.threads / (warps * limits.warp_size), "threads"},
      {limits.threadgroups, "threadgroups"},
  }};
  const auto least = std::min_element(all.begin(), all.end(),
                                      [](const auto& a, const auto& b) {
                                        return a.threadgroups < b.threadgroups;
                                      });
  result.threadgroups = least->threadgroups;
  result.limited_by = least->name;
  const int64_t most_warps = limits.threads / limits.warp_size;
  result.fraction = static_cast<double>(result.threadgroups * warps) /
                    static_cast<double>(most_warps);
  return result;
}

}  // namespace evoke::cuda
