// Watches the memory accesses of one threadgroup at a time: each kind of
// memory has its watch. Belongs to one thread of the system.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "evoke/devices/metal/host/access.h"
#include "evoke/devices/metal/host/device_watch.h"
#include "evoke/devices/metal/host/fiber.h"
#include "evoke/devices/metal/host/finding.h"
#include "evoke/devices/metal/host/group_watch.h"
#include "evoke/devices/metal/host/kernel_abi.h"
#include "evoke/devices/metal/host/memory_map.h"
#include "evoke/devices/metal/host/private_watch.h"

namespace evoke::metal::host {

class Checker {
 public:
  Checker(const Stacks& stacks, const std::byte* threadgroup_memory,
          std::size_t threadgroup_bytes);

  // `moment`: of its start, later than all that was watched before. After
  // `most_accesses` nothing more is watched.
  void begin_threadgroup(MemoryMap* map, const CodeMap* code, uint32_t launch,
                         uint32_t threadgroup, uint32_t moment,
                         int64_t most_accesses);
  // Nothing of an abandoned threadgroup's stacks is left.
  void forget_stacks() { private_.forget(); }
  void add_variable(const EvokeMetalVariable& variable, std::size_t offset) {
    group_.add_variable(variable, offset);
  }
  void set_frame(uintptr_t shadow, std::size_t count, uint8_t value) {
    if (!is_spent()) private_.set_frame(shadow, count, value);
  }

  // Most accesses, quickly: nothing is to be said about this one.
  template <std::size_t Bytes>
  bool is_plain(uintptr_t address) {
    return ++accesses_ > most_accesses_ || private_.is_plain<Bytes>(address);
  }
  // nullptr: nothing is wrong.
  const Finding* access(const Accessor& who, uintptr_t address,
                        std::size_t bytes, Access kind, const void* code);
  const Finding* copy(const Accessor& who, uintptr_t to, uintptr_t from,
                      std::size_t bytes, const void* code);

  // A read of threadgroup memory that no thread has written since; null: none.
  const Finding* pending() const { return group_.pending(); }
  // The same of device memory, of all threadgroups so far.
  std::vector<Finding> take_pending() { return device_.take_pending(); }

  // Of the threadgroup.
  int64_t accesses() const { return accesses_; }
  bool is_spent() const { return accesses_ > most_accesses_; }

 private:
  Report report_;
  PrivateWatch private_;
  GroupWatch group_;
  DeviceWatch device_;
  int64_t accesses_ = 0;
  int64_t most_accesses_ = 0;
};

}  // namespace evoke::metal::host
