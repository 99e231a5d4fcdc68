// Watches device memory: bounds of tensors and arguments, order between the
// threads of a launch, and what nothing has written. What is known of a
// tensor's elements is shared by all threads that run threadgroups, and
// guarded.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "evoke/devices/metal/host/access.h"
#include "evoke/devices/metal/host/memory_map.h"

namespace evoke::metal::host {

class DeviceWatch {
 public:
  explicit DeviceWatch(Report& report) : report_(report) {}

  void begin_threadgroup(MemoryMap* map);

  // nullptr: nothing is wrong. At most 16 bytes.
  const Finding* access(const Accessor& who, uintptr_t address,
                        std::size_t bytes, Access kind, const void* code);
  // Reads of what nothing had written, at most one per threadgroup.
  std::vector<Finding> take_pending() { return std::exchange(pending_, {}); }

 private:
  // Where a piece of code last went: it mostly stays with one tensor.
  static constexpr std::size_t kRemembered = 64;

  const Finding* access_cell(const Accessor& who, Region& region,
                             uintptr_t address, Access kind, const void* code);
  void note_unwritten(const Accessor& who, const Region& region,
                      uintptr_t address, const void* code);
  void remember_read(const Accessor& who, DeviceCell& cell, const void* code);
  const Finding* after_write(const Accessor& who, const Region& region,
                             const DeviceCell& cell, uintptr_t address,
                             Access kind, const void* code);
  const Finding* after_read(const Accessor& who, const Region& region,
                            const DeviceCell& cell, uintptr_t address,
                            Access kind, const void* code);
  const Finding* wild(const Accessor& who, uintptr_t address, std::size_t bytes,
                      Access kind, const void* code);

  Report& report_;
  MemoryMap* map_ = nullptr;
  std::array<Region*, kRemembered> latest_{};
  std::vector<Finding> pending_;
};

}  // namespace evoke::metal::host
