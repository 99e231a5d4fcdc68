// What every kernel of the cpu dialect sees: the bfloat16 type, vectors as
// wide as the machine's, exp2 for vectors, and the AMX tile unit. Described
// for kernel authors in docs/kernel-file.md.
//
// Code written with these helpers compiles for any machine. A kernel that
// wants more asks what there is (HAS_AVX512_BF16, HAS_AMX_BF16, ...; each is
// 0 or 1) and uses intrinsics.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cfloat>
#include <climits>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <tuple>
#include <type_traits>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#include "evoke/devices/cpu/kernel_abi.h"

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && \
    defined(__AVX512VL__)
#define HAS_AVX512 1
#else
#define HAS_AVX512 0
#endif
#if HAS_AVX512 && defined(__AVX512BF16__)
#define HAS_AVX512_BF16 1
#else
#define HAS_AVX512_BF16 0
#endif
#if defined(__AVX2__) && defined(__FMA__)
#define HAS_AVX2 1
#else
#define HAS_AVX2 0
#endif
#if (defined(__AMX_BF16__) || defined(__AMXBF16__)) && HAS_AVX512_BF16
#define HAS_AMX_BF16 1
#else
#define HAS_AMX_BF16 0
#endif

// ---------------------------------------------------------------- bfloat16

// The upper half of a float. Arithmetic happens in float: it converts to
// float by itself, and from float by assignment or static_cast, rounding to
// nearest even. NaN stays NaN.
struct bfloat16 {
  uint16_t bits;

  bfloat16() = default;
  explicit bfloat16(float value) : bits(rounded(value)) {}
  bfloat16& operator=(float value) {
    bits = rounded(value);
    return *this;
  }
  operator float() const {
    return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
  }

  static uint16_t rounded(float value) {
    const uint32_t word = std::bit_cast<uint32_t>(value);
    if ((word & 0x7fffffffu) > 0x7f800000u) return 0x7fc0;
    return static_cast<uint16_t>((word + 0x7fffu + ((word >> 16) & 1u)) >> 16);
  }
};
static_assert(sizeof(bfloat16) == 2);
using bfloat16_t = bfloat16;

struct uint3 {
  uint32_t x, y, z;
};

// ----------------------------------------------------------------- vectors

// Floats per vector: 16 (AVX-512), 8 (AVX2), 4.
#if HAS_AVX512
inline constexpr int kLanes = 16;
#elif HAS_AVX2
inline constexpr int kLanes = 8;
#else
inline constexpr int kLanes = 4;
#endif

// Arithmetic and comparisons work element by element: a * b + c is one fused
// instruction; a < b gives 0 or -1; mask ? a : b selects.
typedef float Floats __attribute__((vector_size(kLanes * 4)));
typedef int32_t Ints __attribute__((vector_size(kLanes * 4)));
typedef uint32_t Words __attribute__((vector_size(kLanes * 4)));
typedef float UnalignedFloats
    __attribute__((vector_size(kLanes * 4), aligned(4), may_alias));
typedef uint32_t UnalignedWords
    __attribute__((vector_size(kLanes * 4), aligned(2), may_alias));
typedef uint16_t UnalignedHalves
    __attribute__((vector_size(kLanes * 2), aligned(2), may_alias));

inline Floats splat(float value) { return Floats{} + value; }
inline Words splat_word(uint32_t value) { return Words{} + value; }
// 0, 1, 2, ...
inline Ints lane_numbers() {
  Ints numbers{};
  for (int i = 0; i < kLanes; ++i) numbers[i] = i;
  return numbers;
}

inline Floats load(const float* from) {
  return *reinterpret_cast<const UnalignedFloats*>(from);
}
inline void store(float* to, Floats value) {
  *reinterpret_cast<UnalignedFloats*>(to) = value;
}

// bfloat16 in pairs: 2 * kLanes neighbours as kLanes words, element 2i in the
// lower half of word i. Widening a pair costs one operation per half and
// needs no shuffle; odd and even elements stay apart until the end.
inline Words load_pairs(const bfloat16* from) {
  return *reinterpret_cast<const UnalignedWords*>(from);
}
inline void store_pairs(bfloat16* to, Words pairs) {
  *reinterpret_cast<UnalignedWords*>(to) = pairs;
}
inline Floats even_of(Words pairs) {
  return std::bit_cast<Floats>(pairs << 16);
}
inline Floats odd_of(Words pairs) {
  return std::bit_cast<Floats>(pairs & 0xffff0000u);
}

// Rounded to bfloat16, in the lower half of each word.
inline Words round_words(Floats value) {
#if HAS_AVX512_BF16
  return std::bit_cast<Words>(_mm512_cvtepu16_epi32(std::bit_cast<__m256i>(
      _mm512_cvtneps_pbh(std::bit_cast<__m512>(value)))));
#else
  const Words word = std::bit_cast<Words>(value);
  const Words rounded = (word + 0x7fffu + ((word >> 16) & 1u)) >> 16;
  return value == value ? rounded : splat_word(0x7fc0);
#endif
}
inline Words make_pairs(Floats even, Floats odd) {
  return round_words(even) | (round_words(odd) << 16);
}

// kLanes neighbours.
inline Floats load_bfloat16(const bfloat16* from) {
  const UnalignedHalves half = *reinterpret_cast<const UnalignedHalves*>(from);
  return std::bit_cast<Floats>(__builtin_convertvector(half, Words) << 16);
}
inline void store_bfloat16(bfloat16* to, Floats value) {
#if HAS_AVX512_BF16
  _mm256_storeu_si256(
      reinterpret_cast<__m256i*>(to),
      std::bit_cast<__m256i>(_mm512_cvtneps_pbh(std::bit_cast<__m512>(value))));
#else
  typedef uint16_t Halves __attribute__((vector_size(kLanes * 2)));
  const Halves half = __builtin_convertvector(round_words(value), Halves);
  *reinterpret_cast<UnalignedHalves*>(to) = half;
#endif
}

// sum + a.even * b.even + a.odd * b.odd. One instruction where there is
// AVX-512 BF16 (products exact, sums in float, denormals are zero), else two
// fused ones after widening.
inline Floats dot_pairs(Floats sum, Words a, Words b) {
#if HAS_AVX512_BF16
  return std::bit_cast<Floats>(_mm512_dpbf16_ps(std::bit_cast<__m512>(sum),
                                                std::bit_cast<__m512bh>(a),
                                                std::bit_cast<__m512bh>(b)));
#else
  sum = even_of(a) * even_of(b) + sum;
  return odd_of(a) * odd_of(b) + sum;
#endif
}

// NaN if b is NaN; b if a is.
inline Floats max(Floats a, Floats b) {
#if HAS_AVX512
  return std::bit_cast<Floats>(
      _mm512_max_ps(std::bit_cast<__m512>(a), std::bit_cast<__m512>(b)));
#else
  return a > b ? a : b;
#endif
}
inline Floats select(Ints mask, Floats yes, Floats no) {
  return mask ? yes : no;
}

// Hints that the line at `address` will be read soon.
inline void prefetch(const void* address) { __builtin_prefetch(address, 0, 3); }

// -------------------------------------------- across lanes, between vectors

// Implementation of the functions below: shuffles whose indices are computed.
namespace evoke_lanes {

// Lane j of the answer, as an index into (a, b): segments of `length` lanes
// are halved, and the halves of a and b taken in turn.
constexpr int halved(int j, int length, bool upper) {
  const int half = length / 2;
  const int segment = j / half;
  return segment % 2 * kLanes + segment / 2 * length + j % half +
         (upper ? half : 0);
}
template <int length, bool upper, int... j>
inline Floats halve(Floats a, Floats b, std::integer_sequence<int, j...>) {
  return __builtin_shufflevector(a, b, halved(j, length, upper)...);
}
template <typename Operation, int length>
inline void fold(Floats* rows) {
  using Lanes = std::make_integer_sequence<int, kLanes>;
#pragma GCC unroll 16
  for (int i = 0; i < length / 2; ++i) {
    const Floats a = rows[i], b = rows[i + length / 2];
    rows[i] = Operation::apply(halve<length, false>(a, b, Lanes{}),
                               halve<length, true>(a, b, Lanes{}));
  }
  if constexpr (length > 2) fold<Operation, length / 2>(rows);
}

template <int step, bool second, int... j>
inline Words exchange(Words a, Words b, std::integer_sequence<int, j...>) {
  return __builtin_shufflevector(a, b,
                                 (j & step) ? kLanes + j - (second ? 0 : step)
                                            : j + (second ? step : 0)...);
}
template <int step>
inline void exchange_blocks(Words* rows) {
  using Lanes = std::make_integer_sequence<int, kLanes>;
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; ++i) {
    if (i & step) continue;
    const Words a = rows[i], b = rows[i + step];
    rows[i] = exchange<step, false>(a, b, Lanes{});
    rows[i + step] = exchange<step, true>(a, b, Lanes{});
  }
  if constexpr (step > 1) exchange_blocks<step / 2>(rows);
}

struct Add {
  static Floats apply(Floats a, Floats b) { return a + b; }
};
struct Max {
  static Floats apply(Floats a, Floats b) { return max(a, b); }
};

}  // namespace evoke_lanes

// Lane i of the answer is the sum (the greatest) of all lanes of rows[i]:
// about three operations per row, where one sum alone costs eight. Destroys
// `rows`.
inline Floats sum_each(Floats (&rows)[kLanes]) {
  evoke_lanes::fold<evoke_lanes::Add, kLanes>(rows);
  return rows[0];
}
inline Floats max_each(Floats (&rows)[kLanes]) {
  evoke_lanes::fold<evoke_lanes::Max, kLanes>(rows);
  return rows[0];
}
inline float sum_lanes(Floats value) {
#if HAS_AVX512
  return _mm512_reduce_add_ps(std::bit_cast<__m512>(value));
#else
  float sum = 0;
  for (int i = 0; i < kLanes; ++i) sum += value[i];
  return sum;
#endif
}
inline float max_lanes(Floats value) {
#if HAS_AVX512
  return _mm512_reduce_max_ps(std::bit_cast<__m512>(value));
#else
  float greatest = value[0];
  for (int i = 1; i < kLanes; ++i) {
    greatest = value[i] < greatest ? greatest : value[i];
  }
  return greatest;
#endif
}
// rows[i] lane j becomes rows[j] lane i.
inline void transpose(Words (&rows)[kLanes]) {
  evoke_lanes::exchange_blocks<kLanes / 2>(rows);
}

// -------------------------------------------------------------------- exp2

// 2 to the power of each lane. Degree 3 to 6: a polynomial (minimax in
// relative error: 7.5e-5, 2.7e-6, 2.3e-7, 1e-7); 0: the C library's
// exp2f, lane by lane. Below -126 the result may be 0, above 127 infinite; NaN
// stays NaN.
// For e^x multiply by kLog2E first; fold that into the scale.
inline constexpr float kLog2E = 1.44269504f;

template <int degree>
inline Floats exp2_lanes(Floats x) {
  if constexpr (degree == 0) {
    Floats result{};
    for (int i = 0; i < kLanes; ++i) result[i] = ::exp2f(x[i]);
    return result;
  } else {
    static_assert(degree >= 3 && degree <= 6, "degrees are 0 and 3 to 6");
    constexpr float kCoefficients[4][7] = {
        {0.999928057f, 0.693260968f, 0.242611125f, 0.0551716685f},
        {0.999999285f, 0.693121791f, 0.240247443f, 0.0559178591f,
         0.00957010221f},
        {1.00000012f, 0.693146944f, 0.240221202f, 0.0555071309f, 0.00967554096f,
         0.00132764725f},
        {1.0f, 0.693147182f, 0.240226462f, 0.0555032864f, 0.00961848907f,
         0.00133999309f, 0.000153458124f}};
#if HAS_AVX512
    const __m512 bounded =
        _mm512_max_ps(_mm512_set1_ps(-160.0f), std::bit_cast<__m512>(x));
    const __m512 whole = _mm512_roundscale_ps(bounded, 0);
    const Floats fraction = std::bit_cast<Floats>(bounded - whole);
#else
    constexpr float kShift = 12582912.0f;  // 1.5 * 2^23: rounds to integer
    const Floats lower = splat(-126.0f), upper = splat(127.0f);
    Floats bounded = x < lower ? lower : x;
    bounded = bounded > upper ? upper : bounded;
    const Floats shifted = bounded + kShift;
    const Floats fraction = bounded - (shifted - kShift);
#endif
    Floats value = splat(kCoefficients[degree - 3][degree]);
#pragma GCC unroll 8
    for (int k = degree - 1; k >= 0; --k) {
      value = value * fraction + kCoefficients[degree - 3][k];
    }
#if HAS_AVX512
    return std::bit_cast<Floats>(
        _mm512_scalef_ps(std::bit_cast<__m512>(value), whole));
#else
    const Words exponent =
        (std::bit_cast<Words>(shifted) - std::bit_cast<uint32_t>(kShift)) << 23;
    Floats result =
        std::bit_cast<Floats>(std::bit_cast<Words>(value) + exponent);
    result = x < lower ? Floats{} : result;
    result = x > upper ? splat(INFINITY) : result;
    return x == x ? result : x;
#endif
  }
}

// --------------------------------------------------------------------- AMX

// Eight tiles of 16 rows of 64 bytes. tile_dot<c, a, b>: tile c, 16 x 16
// floats, gains A * B, where a holds 16 rows of 32 bfloat16 and b their
// partners in pairs: row r holds B[2r][n], B[2r + 1][n] for n = 0..15.
// A kernel calls tile_configure() first and tile_release() last.
#if HAS_AMX_BF16

inline void tile_configure() {
  struct alignas(64) {
    uint8_t palette = 1;
    uint8_t start_row = 0;
    uint8_t reserved[14] = {};
    uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
  } config;
  asm volatile("ldtilecfg %0" ::"m"(config));
}
inline void tile_release() { asm volatile("tilerelease" ::: "memory"); }
template <int tile>
inline void tile_zero() {
  asm volatile("tilezero %%tmm%c0" ::"i"(tile));
}
// `row_bytes`: from one row to the next. Unlike the intrinsics of g++ 12,
// these wait for what ordinary code has written before.
template <int tile>
inline void tile_load(const void* from, int64_t row_bytes) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(row_bytes),
               "i"(tile)
               : "memory");
}
template <int tile>
inline void tile_store(void* to, int64_t row_bytes) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(row_bytes),
               "i"(tile)
               : "memory");
}
template <int c, int a, int b>
inline void tile_dot() {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(c), "i"(a),
               "i"(b));
}

#endif  // HAS_AMX_BF16

// ----------------------------------------------------------------- kernels

// NAME_shape and NAME_strides of a kernel's tensors.
template <typename T, int rank>
struct EvokeExtents {
  T values[rank];
  EvokeExtents(const int64_t* from) {
    for (int i = 0; i < rank; ++i) values[i] = static_cast<T>(from[i]);
  }
  constexpr T operator[](int i) const { return values[i]; }
};

inline uint3 evoke_position(uint64_t index, uint3 grid) {
  const uint64_t row = index / grid.x;
  return {static_cast<uint32_t>(index % grid.x),
          static_cast<uint32_t>(row % grid.y),
          static_cast<uint32_t>(row / grid.y)};
}

// KERNEL(name) { body }: the host puts the kernel's signature here, one macro
// per kernel of the plan's variant.
#define KERNEL(name) EVOKE_KERNEL_##name
