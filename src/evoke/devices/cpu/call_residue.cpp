#include "evoke/devices/cpu/call_residue.h"

#include <cstddef>
#include <cstring>

#include "evoke/devices/cpu/cpu_features.h"

#if defined(__linux__)
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace evoke::cpu {
namespace {

// More than a kernel uses that keeps its tiles in threadgroup memory. What it
// used below that goes back to the system, page by page.
constexpr std::size_t kScrubbedBytes = 32 * 1024;

// Clears the stack that calls from here have used. Returns the lowest byte.
[[gnu::noinline]] uintptr_t scrub_stack() {
  volatile std::byte frame[kScrubbedBytes];
  std::memset(const_cast<std::byte*>(frame), 0, sizeof(frame));
  uintptr_t lowest = 0;
  asm volatile("" : "=r"(lowest) : "0"(&frame) : "memory");
  return lowest;
}

// The assembler knows all of these, whatever this program is compiled for.
void reset_registers() {
#if defined(__x86_64__)
  struct Has {
    bool tiles = has_feature("amx_bf16");
    bool wide = has_feature("avx512");
    bool avx = has_feature("avx2");
  };
  static const Has has;
  // Also the sticky flags and the rounding mode of both floating-point units.
  constexpr uint32_t kUsualControl = 0x1f80;
  asm volatile("fninit\n\tldmxcsr %0" ::"m"(kUsualControl) : "memory");
  if (has.avx)
    asm volatile("vzeroall" ::
                     : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
                       "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
                       "xmm13", "xmm14", "xmm15");
  if (has.wide) {
    // The compiler uses none of these across a call.
    asm volatile(
        ".irp n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, "
        "31\n\t"
        "vpxorq %%zmm\\n, %%zmm\\n, %%zmm\\n\n\t"
        ".endr\n\t"
        ".irp n, 0, 1, 2, 3, 4, 5, 6, 7\n\t"
        "kxorw %%k\\n, %%k\\n, %%k\\n\n\t"
        ".endr" ::
            : "memory");
  }
  if (has.tiles) asm volatile("tilerelease" ::: "memory");
#endif
}

}  // namespace

uintptr_t lowest_stack_address() {
#if defined(__linux__)
  pthread_attr_t attributes;
  if (::pthread_getattr_np(::pthread_self(), &attributes) != 0) return 0;
  void* lowest = nullptr;
  std::size_t bytes = 0;
  const int code = ::pthread_attr_getstack(&attributes, &lowest, &bytes);
  ::pthread_attr_destroy(&attributes);
  // An unlimited stack has no end that could be trusted.
  constexpr std::size_t kMostBytes = std::size_t{256} << 20;
  if (code != 0 || bytes > kMostBytes) return 0;
  return reinterpret_cast<uintptr_t>(lowest);
#else
  return 0;
#endif
}

void clear_residue(uintptr_t lowest) {
  const uintptr_t scrubbed = scrub_stack();
#if defined(__linux__)
  static const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const uintptr_t end = scrubbed / page * page;
  // Parts that were never grown into are no error.
  if (lowest != 0 && lowest < end) {
    ::madvise(reinterpret_cast<void*>(lowest), end - lowest, MADV_DONTNEED);
  }
#else
  static_cast<void>(scrubbed);
  static_cast<void>(lowest);
#endif
  reset_registers();
}

}  // namespace evoke::cpu
