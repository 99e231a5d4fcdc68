#include "evoke/devices/cpu/cpu_features.h"

#include <algorithm>

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace evoke::cpu {
namespace {

#if defined(__x86_64__)

struct Registers {
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

Registers cpuid(uint32_t leaf, uint32_t subleaf) {
  Registers r;
  if (__get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx) == 0) {
    return {};
  }
  return r;
}

bool bit(uint32_t word, int number) { return ((word >> number) & 1) != 0; }

// The states that the system saves when it switches threads (XCR0).
uint64_t enabled_states(const Registers& basic) {
  if (!bit(basic.ecx, 27)) return 0;  // OSXSAVE
  uint32_t low = 0;
  uint32_t high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<uint64_t>(high) << 32) | low;
}

// Linux gives tile registers only to processes that ask.
bool request_tiles() {
#if defined(__linux__)
  constexpr long kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long kTileData = 18;
  return ::syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

std::vector<std::string> find_features() {
  const Registers basic = cpuid(1, 0);
  const Registers extended = cpuid(7, 0);
  const Registers extended_1 = cpuid(7, 1);
  const uint64_t states = enabled_states(basic);
  const auto enabled = [&](uint64_t mask) { return (states & mask) == mask; };

  std::vector<std::string> features;
  if (enabled(0x6) && bit(extended.ebx, 5)) features.emplace_back("avx2");
  if (enabled(0x6) && bit(basic.ecx, 12)) features.emplace_back("fma");
  // F, DQ, BW and VL: what every AVX-512 processor since 2017 has.
  const bool avx512 = enabled(0xe6) && bit(extended.ebx, 16) &&
                      bit(extended.ebx, 17) && bit(extended.ebx, 30) &&
                      bit(extended.ebx, 31);
  if (avx512) features.emplace_back("avx512");
  const bool avx512_bf16 = avx512 && bit(extended_1.eax, 5);
  if (avx512_bf16) features.emplace_back("avx512_bf16");
  const bool amx = enabled(0x60000) && bit(extended.edx, 22) &&
                   bit(extended.edx, 24) && avx512_bf16;
  if (amx && request_tiles()) features.emplace_back("amx_bf16");
  return features;
}

#else

std::vector<std::string> find_features() {
#if defined(__ARM_NEON)
  return {"neon"};
#else
  return {};
#endif
}

#endif

}  // namespace

const std::vector<std::string>& cpu_features() {
  static const std::vector<std::string> features = find_features();
  return features;
}

bool has_feature(const std::string& name) {
  const auto& features = cpu_features();
  return std::find(features.begin(), features.end(), name) != features.end();
}

}  // namespace evoke::cpu
