#include "evoke/devices/metal/host/checker.h"

#include <algorithm>

namespace evoke::metal::host {
namespace {

constexpr std::size_t kLongestAccess = 16;

}  // namespace

Checker::Checker(const Stacks& stacks, const std::byte* threadgroup_memory,
                 std::size_t threadgroup_bytes)
    : private_(stacks, report_),
      group_(threadgroup_memory, threadgroup_bytes, report_),
      device_(report_) {}

void Checker::begin_threadgroup(MemoryMap* map, const CodeMap* code,
                                uint32_t launch, uint32_t threadgroup,
                                uint32_t moment, int64_t most_accesses) {
  accesses_ = 0;
  most_accesses_ = most_accesses;
  report_.begin(code, launch, threadgroup, moment);
  private_.forget_descriptions();
  group_.begin_threadgroup();
  device_.begin_threadgroup(map);
}

const Finding* Checker::access(const Accessor& who, uintptr_t address,
                               std::size_t bytes, Access kind,
                               const void* code) {
  if (is_spent()) return nullptr;
  for (; bytes > kLongestAccess;
       address += kLongestAccess, bytes -= kLongestAccess) {
    if (const Finding* found =
            access(who, address, kLongestAccess, kind, code)) {
      return found;
    }
  }
  if (private_.owns(address)) {
    return private_.access(who, address, bytes, kind, code);
  }
  if (group_.owns(address)) {
    return group_.access(who, address, bytes, kind, code);
  }
  return device_.access(who, address, bytes, kind, code);
}

const Finding* Checker::copy(const Accessor& who, uintptr_t to, uintptr_t from,
                             std::size_t bytes, const void* code) {
  accesses_ += static_cast<int64_t>(bytes / kLongestAccess + 1);
  if (is_spent()) return nullptr;
  if (private_.owns(to) && private_.owns(from)) {
    return private_.copy(who, to, from, bytes, code);
  }
  for (std::size_t at = 0; at < bytes; at += kLongestAccess) {
    const std::size_t part = std::min(kLongestAccess, bytes - at);
    const Finding* found = access(who, from + at, part, Access::read, code);
    if (found == nullptr) {
      found = access(who, to + at, part, Access::write, code);
    }
    if (found != nullptr) return found;
  }
  return nullptr;
}

}  // namespace evoke::metal::host
