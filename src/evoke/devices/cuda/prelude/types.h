// What every kernel of the cuda dialect sees: integer types, bfloat16, packed
// pairs, exp2, warp reductions, and loads and stores of 16 bytes with hints.
// For NVRTC, which has no system headers; not part of the program.
#pragma once

using int8_t = signed char;
using uint8_t = unsigned char;
using int16_t = short;
using uint16_t = unsigned short;
using int32_t = int;
using uint32_t = unsigned int;
using int64_t = long long;
using uint64_t = unsigned long long;

#define EVOKE_DEVICE __device__ __forceinline__

#ifndef INFINITY
#define INFINITY (__int_as_float(0x7f800000))
#endif

constexpr float kLog2E = 1.4426950408889634f;
constexpr int kWarp = 32;
constexpr int kWarpgroup = 128;

// ---------------------------------------------------------------- bfloat16

// The upper half of a float. Arithmetic happens in float: it converts to
// float by itself, and from float by assignment, rounding to nearest even.
struct alignas(2) bfloat16 {
  uint16_t bits;
  bfloat16() = default;
  EVOKE_DEVICE bfloat16(float x) {
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(x));
  }
  EVOKE_DEVICE operator float() const {
    return __uint_as_float(static_cast<uint32_t>(bits) << 16);
  }
};

// Two bfloat16 in a word: the lower half comes first in memory.
EVOKE_DEVICE uint32_t pack_bfloat16(float low, float high) {
  uint32_t word;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(high), "f"(low));
  return word;
}
EVOKE_DEVICE float low_of(uint32_t pair) { return __uint_as_float(pair << 16); }
EVOKE_DEVICE float high_of(uint32_t pair) {
  return __uint_as_float(pair & 0xffff0000u);
}
// The lower halves of a and b as one pair, and the upper halves.
EVOKE_DEVICE uint32_t pair_of_lows(uint32_t a, uint32_t b) {
  return __byte_perm(a, b, 0x5410);
}
EVOKE_DEVICE uint32_t pair_of_highs(uint32_t a, uint32_t b) {
  return __byte_perm(a, b, 0x7632);
}

// -------------------------------------------------------------------- exp2

// 2^x by the special function unit: relative error 2^-22.5, results below
// 2^-126 become 0, and 2^-inf is 0.
EVOKE_DEVICE float exp2_approx(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

// 2^x by a polynomial on the FMA units, for -inf <= x <= 127; below -126 it is
// about 2^-126 in place of the true value. The greatest relative error is
// 7.5e-5 for degree 3, 2.7e-6 for 4 and 2e-7 for 5 (minimax fits).
template <int degree>
EVOKE_DEVICE float exp2_polynomial(float x) {
  static_assert(degree >= 3 && degree <= 5);
  // The nearest integer goes into the lowest bits of 1.5 * 2^23.
  const float clamped = fmaxf(x, -126.0f);
  const float shifted = clamped + 12582912.0f;
  const float f = clamped - (shifted - 12582912.0f);
  float p;
  if constexpr (degree == 3) {
    p = __fmaf_rn(0.0551716691f, f, 0.242611122f);
    p = __fmaf_rn(p, f, 0.693260985f);
    p = __fmaf_rn(p, f, 0.999928074f);
  } else if constexpr (degree == 4) {
    p = __fmaf_rn(0.00957010191f, f, 0.0559178603f);
    p = __fmaf_rn(p, f, 0.240247448f);
    p = __fmaf_rn(p, f, 0.693121815f);
    p = __fmaf_rn(p, f, 0.999999261f);
  } else {
    p = __fmaf_rn(0.0013276472f, f, 0.00967554133f);
    p = __fmaf_rn(p, f, 0.0555071327f);
    p = __fmaf_rn(p, f, 0.240221197f);
    p = __fmaf_rn(p, f, 0.693146967f);
    p = __fmaf_rn(p, f, 1.00000007f);
  }
  return __int_as_float(__float_as_int(p) + (__float_as_int(shifted) << 23));
}

// ------------------------------------------------------------ warp reductions

// Over the lanes whose numbers differ in the bits of `mask` alone.
template <int mask>
EVOKE_DEVICE float max_over_lanes(float x) {
#pragma unroll
  for (int bit = 1; bit < kWarp; bit *= 2) {
    if ((mask & bit) != 0) {
      x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, bit));
    }
  }
  return x;
}
template <int mask>
EVOKE_DEVICE float sum_over_lanes(float x) {
#pragma unroll
  for (int bit = 1; bit < kWarp; bit *= 2) {
    if ((mask & bit) != 0) x += __shfl_xor_sync(0xffffffffu, x, bit);
  }
  return x;
}

// True in exactly one lane of a converged warp, the same lane each time.
EVOKE_DEVICE bool elect_one() {
  uint32_t chosen;
  asm volatile(
      "{\n.reg .pred p;\nelect.sync _|p, 0xffffffff;\n"
      "selp.u32 %0, 1, 0, p;\n}"
      : "=r"(chosen));
  return chosen != 0;
}

// ------------------------------------------------- 16 bytes to and from memory

struct alignas(16) Vector16 {
  uint32_t word[4];
};

// Global memory that no thread writes during the launch.
EVOKE_DEVICE Vector16 load_once(const void* address) {
  Vector16 v;
  asm volatile(
      "ld.global.nc.L1::no_allocate.L2::256B.v4.u32 {%0, %1, %2, %3}, [%4];"
      : "=r"(v.word[0]), "=r"(v.word[1]), "=r"(v.word[2]), "=r"(v.word[3])
      : "l"(address));
  return v;
}
// The same under an L2 policy made by one of the functions below.
EVOKE_DEVICE Vector16 load_once(const void* address, uint64_t policy) {
  Vector16 v;
  asm volatile(
      "ld.global.nc.L1::no_allocate.L2::cache_hint.v4.u32 "
      "{%0, %1, %2, %3}, [%4], %5;"
      : "=r"(v.word[0]), "=r"(v.word[1]), "=r"(v.word[2]), "=r"(v.word[3])
      : "l"(address), "l"(policy));
  return v;
}
// Global memory that other blocks may write meanwhile: from L2.
EVOKE_DEVICE float load_from_l2(const float* address) {
  float x;
  asm volatile("ld.global.cg.f32 %0, [%1];" : "=f"(x) : "l"(address));
  return x;
}
EVOKE_DEVICE Vector16 load16_from_l2(const void* address) {
  Vector16 v;
  asm volatile("ld.global.cg.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(v.word[0]), "=r"(v.word[1]), "=r"(v.word[2]),
                 "=r"(v.word[3])
               : "l"(address));
  return v;
}
EVOKE_DEVICE void prefetch_l2(const void* address) {
  asm volatile("prefetch.global.L2 [%0];" ::"l"(address));
}

// L2 policies for whole accesses: leave first, as usual, leave the order
// alone, or stay longest.
EVOKE_DEVICE uint64_t evict_normal_policy() {
  uint64_t policy;
  asm("createpolicy.fractional.L2::evict_normal.b64 %0, 1.0;" : "=l"(policy));
  return policy;
}
EVOKE_DEVICE uint64_t evict_first_policy() {
  uint64_t policy;
  asm("createpolicy.fractional.L2::evict_first.b64 %0, 1.0;" : "=l"(policy));
  return policy;
}
EVOKE_DEVICE uint64_t evict_unchanged_policy() {
  uint64_t policy;
  asm("createpolicy.fractional.L2::evict_unchanged.b64 %0, 1.0;"
      : "=l"(policy));
  return policy;
}
EVOKE_DEVICE uint64_t evict_last_policy() {
  uint64_t policy;
  asm("createpolicy.fractional.L2::evict_last.b64 %0, 1.0;" : "=l"(policy));
  return policy;
}

// The 32-bit address of shared memory that PTX instructions take.
EVOKE_DEVICE uint32_t shared_address(const void* pointer) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}

// Adds to a counter in global memory: what this thread wrote before is visible
// to whoever reads the sum (release), and what others published before is
// visible to this thread after (acquire).
EVOKE_DEVICE int add_acq_rel(int* counter, int amount) {
  int old;
  asm volatile("atom.global.add.acq_rel.gpu.s32 %0, [%1], %2;"
               : "=r"(old)
               : "l"(counter), "r"(amount)
               : "memory");
  return old;
}
