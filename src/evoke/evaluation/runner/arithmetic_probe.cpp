#include "evoke/evaluation/runner/arithmetic_probe.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif
#if defined(__x86_64__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <array>
#include <cstddef>

namespace evoke::runner {
namespace {

// Chains that do not depend on each other: enough to hide the latency of a
// fused multiply-add behind two units.
constexpr int kChains = 12;

// Keeps a value that nobody reads.
template <typename T>
inline void keep(T& value) {
  asm volatile("" : "+m"(value));
}

using Vector = float __attribute__((vector_size(16)));

void generic_fma(int64_t rounds) {
  Vector sums[kChains] = {};
  Vector a = Vector{} + 0.999F;
  Vector b = Vector{} + 0.001F;
  keep(a);
  keep(b);
  for (int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (int c = 0; c < kChains; ++c) sums[c] = sums[c] * a + b;
  }
  Vector sum = sums[0];
#pragma GCC unroll 12
  for (int c = 1; c < kChains; ++c) sum += sums[c];
  keep(sum);
}

#if defined(__x86_64__)

__attribute__((target("avx2,fma"))) void avx2_fma(int64_t rounds) {
  __m256 sums[kChains] = {};
  const __m256 a = _mm256_set1_ps(0.999F);
  const __m256 b = _mm256_set1_ps(0.001F);
  for (int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (int c = 0; c < kChains; ++c) sums[c] = _mm256_fmadd_ps(sums[c], a, b);
  }
  __m256 sum = sums[0];
#pragma GCC unroll 12
  for (int c = 1; c < kChains; ++c) sum = _mm256_add_ps(sum, sums[c]);
  keep(sum);
}

__attribute__((target("avx512f"))) void avx512_fma(int64_t rounds) {
  __m512 sums[kChains] = {};
  const __m512 a = _mm512_set1_ps(0.999F);
  const __m512 b = _mm512_set1_ps(0.001F);
  for (int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (int c = 0; c < kChains; ++c) sums[c] = _mm512_fmadd_ps(sums[c], a, b);
  }
  __m512 sum = sums[0];
#pragma GCC unroll 12
  for (int c = 1; c < kChains; ++c) sum = _mm512_add_ps(sum, sums[c]);
  keep(sum);
}

__attribute__((target("avx512f,avx512bf16"))) void avx512_bf16(int64_t rounds) {
  __m512 sums[kChains] = {};
  const __m512bh a =
      _mm512_cvtne2ps_pbh(_mm512_set1_ps(0.5F), _mm512_set1_ps(0.25F));
  for (int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (int c = 0; c < kChains; ++c) sums[c] = _mm512_dpbf16_ps(sums[c], a, a);
  }
  __m512 sum = sums[0];
#pragma GCC unroll 12
  for (int c = 1; c < kChains; ++c) sum = _mm512_add_ps(sum, sums[c]);
  keep(sum);
}

struct alignas(64) TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  std::array<uint8_t, 14> reserved{};
  std::array<uint16_t, 16> column_bytes{};
  std::array<uint8_t, 16> rows{};
};

// Four sums of 16 x 16, each plus the product of 16 x 32 by 32 x 16.
__attribute__((target("amx-tile,amx-bf16"))) void amx_bf16(int64_t rounds) {
  TileConfig config;
  for (std::size_t i = 0; i < 8; ++i) {
    config.column_bytes[i] = 64;
    config.rows[i] = 16;
  }
  // GCC 12 takes the intrinsic for one that reads eight bytes.
  asm volatile("" : : "r"(&config) : "memory");
  _tile_loadconfig(&config);
  alignas(64) std::array<uint16_t, 512> ones;
  ones.fill(0x3f80);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_loadd(4, ones.data(), 64);
  _tile_loadd(5, ones.data(), 64);
  for (int64_t i = 0; i < rounds; ++i) {
    _tile_dpbf16ps(0, 4, 5);
    _tile_dpbf16ps(1, 4, 5);
    _tile_dpbf16ps(2, 4, 5);
    _tile_dpbf16ps(3, 4, 5);
  }
  _tile_release();
}

// Whether the processor has AMX for bf16 and the system lets this process use
// it (threads started later inherit that).
bool may_use_amx() {
#if defined(__linux__)
  unsigned eax = 7;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  asm volatile("cpuid"
               : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx)
               :
               : "memory");
  constexpr unsigned kAmxBf16 = 1U << 22;
  constexpr unsigned kAmxTile = 1U << 24;
  if ((edx & kAmxBf16) == 0 || (edx & kAmxTile) == 0) return false;
  constexpr int kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr int kTileData = 18;               // XFEATURE_XTILEDATA
  return ::syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

#endif  // x86_64

}  // namespace

ArithmeticProbe fp32_probe() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) {
    return {"avx512 fma", 2.0 * 16 * kChains, avx512_fma};
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    return {"avx2 fma", 2.0 * 8 * kChains, avx2_fma};
  }
#endif
  return {"vector", 2.0 * 4 * kChains, generic_fma};
}

ArithmeticProbe bf16_probe() {
#if defined(__x86_64__)
  if (may_use_amx()) return {"amx", 4.0 * 2 * 16 * 16 * 32, amx_bf16};
  if (__builtin_cpu_supports("avx512bf16")) {
    return {"avx512 bf16", 2.0 * 32 * kChains, avx512_bf16};
  }
#endif
  return fp32_probe();
}

}  // namespace evoke::runner
