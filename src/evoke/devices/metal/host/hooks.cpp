#include "evoke/devices/metal/host/hooks.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "evoke/devices/metal/host/executor.h"
#include "evoke/devices/metal/host/kernel_abi.h"

// Kernels find these by name in the program that loads them.
#define EVOKE_EXPORTED __attribute__((visibility("default"), used))

using evoke::metal::host::Access;
using evoke::metal::host::Executor;

extern "C" {

EVOKE_EXPORTED const EvokeMetalThread* evoke_metal_thread() {
  return Executor::running()->thread();
}
EVOKE_EXPORTED EvokeMetalLanes* evoke_metal_exchange(uint64_t first,
                                                     uint64_t second,
                                                     uint64_t third,
                                                     uint64_t place) {
  return Executor::running()->exchange(first, second, third, place);
}
EVOKE_EXPORTED void evoke_metal_barrier(uint32_t flags, uint64_t place) {
  Executor::running()->barrier(flags, place);
}
EVOKE_EXPORTED void* evoke_metal_threadgroup_memory(
    const EvokeMetalVariable* variable) {
  return Executor::running()->threadgroup_memory(*variable);
}
EVOKE_EXPORTED void evoke_metal_fault(int32_t fault, int32_t value,
                                      int32_t line) {
  Executor::running()->lane_fault(fault, value, line);
}
EVOKE_EXPORTED void evoke_metal_atomic(const void* address, uint32_t bytes) {
  Executor::running()->access(reinterpret_cast<uintptr_t>(address), bytes,
                              Access::atomic, __builtin_return_address(0));
}

// What clang's pass for kernel-address sanitizing calls before each access,
// under a prefix of ours (toolchain.cpp).
#define EVOKE_HOOK(bytes)                                                     \
  EVOKE_EXPORTED void evoke_metal_load##bytes##_noabort(uintptr_t address) {  \
    Executor::running()->access<bytes>(address, Access::read,                 \
                                       __builtin_return_address(0));          \
  }                                                                           \
  EVOKE_EXPORTED void evoke_metal_store##bytes##_noabort(uintptr_t address) { \
    Executor::running()->access<bytes>(address, Access::write,                \
                                       __builtin_return_address(0));          \
  }
EVOKE_HOOK(1)
EVOKE_HOOK(2)
EVOKE_HOOK(4)
EVOKE_HOOK(8)
EVOKE_HOOK(16)
#undef EVOKE_HOOK
EVOKE_EXPORTED void evoke_metal_loadN_noabort(uintptr_t address,
                                              std::size_t bytes) {
  Executor::running()->access(address, bytes, Access::read,
                              __builtin_return_address(0));
}
EVOKE_EXPORTED void evoke_metal_storeN_noabort(uintptr_t address,
                                               std::size_t bytes) {
  Executor::running()->access(address, bytes, Access::write,
                              __builtin_return_address(0));
}
EVOKE_EXPORTED void* evoke_metal_memcpy(void* to, const void* from,
                                        std::size_t bytes) {
  Executor::running()->copy(reinterpret_cast<uintptr_t>(to),
                            reinterpret_cast<uintptr_t>(from), bytes,
                            __builtin_return_address(0));
  return std::memmove(to, from, bytes);
}
EVOKE_EXPORTED void* evoke_metal_memmove(void* to, const void* from,
                                         std::size_t bytes) {
  Executor::running()->copy(reinterpret_cast<uintptr_t>(to),
                            reinterpret_cast<uintptr_t>(from), bytes,
                            __builtin_return_address(0));
  return std::memmove(to, from, bytes);
}
EVOKE_EXPORTED void* evoke_metal_memset(void* to, int value,
                                        std::size_t bytes) {
  constexpr std::size_t kStep = 16;
  const auto address = reinterpret_cast<uintptr_t>(to);
  for (std::size_t at = 0; at < bytes; at += kStep) {
    Executor::running()->access(address + at,
                                bytes - at < kStep ? bytes - at : kStep,
                                Access::write, __builtin_return_address(0));
  }
  return std::memset(to, value, bytes);
}

// Frames: the linker gives these names to __asan_set_shadow_XX.
// NOLINTBEGIN(bugprone-reserved-identifier)
#define EVOKE_FRAME(name, value)                                           \
  EVOKE_EXPORTED void __wrap___asan_set_shadow_##name(uintptr_t shadow,    \
                                                      std::size_t count) { \
    Executor::running()->set_frame(shadow, count, value);                  \
  }
EVOKE_FRAME(00, 0x00)
EVOKE_FRAME(01, 0x01)
EVOKE_FRAME(02, 0x02)
EVOKE_FRAME(03, 0x03)
EVOKE_FRAME(04, 0x04)
EVOKE_FRAME(05, 0x05)
EVOKE_FRAME(06, 0x06)
EVOKE_FRAME(07, 0x07)
EVOKE_FRAME(f1, 0xf1)
EVOKE_FRAME(f2, 0xf2)
EVOKE_FRAME(f3, 0xf3)
#undef EVOKE_FRAME
EVOKE_EXPORTED void __wrap___asan_handle_no_return() {}
// NOLINTEND(bugprone-reserved-identifier)

}  // extern "C"

namespace evoke::metal::host {

int keep_hooks() { return 1; }

}  // namespace evoke::metal::host
