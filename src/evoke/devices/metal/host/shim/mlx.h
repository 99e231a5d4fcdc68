// What MLX puts before every custom kernel, in the same meaning: the bfloat
// overloads of its bf16_math.h and no others (so clamp, select, sign, mix,
// dot and vectors of bfloat have none), 64-bit and bool shuffles, limits, and
// the few helpers of its utils.h.
#pragma once

#include "evoke/devices/metal/host/shim/atomics.h"

using namespace metal;

typedef bfloat bfloat16_t;
typedef half float16_t;

EVOKE_METAL_INLINE uint16_t bfloat16_to_uint16(const bfloat16_t x) {
  return as_type<uint16_t>(x);
}
EVOKE_METAL_INLINE bfloat16_t uint16_to_bfloat16(const uint16_t x) {
  return as_type<bfloat16_t>(x);
}

namespace metal {

#define EVOKE_MLX_UNARY(name)                                \
  EVOKE_METAL_INLINE bfloat name(bfloat x) {                 \
    return static_cast<bfloat>(name(static_cast<float>(x))); \
  }
#define EVOKE_MLX_BINARY(name)                               \
  EVOKE_METAL_INLINE bfloat name(bfloat x, bfloat y) {       \
    return static_cast<bfloat>(                              \
        name(static_cast<float>(x), static_cast<float>(y))); \
  }
#define EVOKE_MLX_TERNARY(name)                                                \
  EVOKE_METAL_INLINE bfloat name(bfloat x, bfloat y, bfloat z) {               \
    return static_cast<bfloat>(name(                                           \
        static_cast<float>(x), static_cast<float>(y), static_cast<float>(z))); \
  }
#define EVOKE_MLX_FUNCTIONS                                                    \
  EVOKE_MLX_UNARY(abs)                                                         \
  EVOKE_MLX_UNARY(acos)                                                        \
  EVOKE_MLX_UNARY(acosh)                                                       \
  EVOKE_MLX_UNARY(asin) EVOKE_MLX_UNARY(asinh) EVOKE_MLX_UNARY(atan)           \
      EVOKE_MLX_BINARY(atan2) EVOKE_MLX_UNARY(atanh) EVOKE_MLX_UNARY(ceil)     \
          EVOKE_MLX_UNARY(cos) EVOKE_MLX_UNARY(cosh) EVOKE_MLX_UNARY(cospi)    \
              EVOKE_MLX_BINARY(divide) EVOKE_MLX_UNARY(exp) EVOKE_MLX_UNARY(   \
                  exp10) EVOKE_MLX_UNARY(exp2) EVOKE_MLX_UNARY(fabs)           \
                  EVOKE_MLX_BINARY(fdim) EVOKE_MLX_UNARY(floor)                \
                      EVOKE_MLX_TERNARY(fma) EVOKE_MLX_BINARY(fmax)            \
                          EVOKE_MLX_TERNARY(fmax3) EVOKE_MLX_TERNARY(fmedian3) \
                              EVOKE_MLX_BINARY(fmin) EVOKE_MLX_TERNARY(fmin3)  \
                                  EVOKE_MLX_BINARY(fmod)                       \
                                      EVOKE_MLX_UNARY(fract)                   \
                                          EVOKE_METAL_INLINE bfloat            \
                                          frexp(bfloat x, int& exponent) {     \
    return static_cast<bfloat>(frexp(static_cast<float>(x), exponent));        \
  }                                                                            \
  EVOKE_METAL_INLINE bfloat ldexp(bfloat x, int k) {                           \
    return static_cast<bfloat>(ldexp(static_cast<float>(x), k));               \
  }                                                                            \
  EVOKE_MLX_UNARY(log)                                                         \
  EVOKE_MLX_UNARY(log10)                                                       \
  EVOKE_MLX_UNARY(log2)                                                        \
  EVOKE_MLX_BINARY(max) EVOKE_MLX_TERNARY(max3) EVOKE_MLX_TERNARY(median3)     \
      EVOKE_MLX_BINARY(min) EVOKE_MLX_TERNARY(min3)                            \
          EVOKE_MLX_BINARY(nextafter) EVOKE_MLX_BINARY(pow)                    \
              EVOKE_MLX_BINARY(powr) EVOKE_MLX_UNARY(rint)                     \
                  EVOKE_MLX_UNARY(round) EVOKE_MLX_UNARY(rsqrt)                \
                      EVOKE_MLX_UNARY(sin) EVOKE_MLX_UNARY(sinh)               \
                          EVOKE_MLX_UNARY(sinpi) EVOKE_MLX_UNARY(sqrt)         \
                              EVOKE_MLX_UNARY(tan) EVOKE_MLX_UNARY(tanh)       \
                                  EVOKE_MLX_UNARY(tanpi)                       \
                                      EVOKE_MLX_UNARY(trunc)

EVOKE_MLX_FUNCTIONS
namespace fast {
EVOKE_MLX_FUNCTIONS
}  // namespace fast
namespace precise {
EVOKE_MLX_FUNCTIONS
}  // namespace precise

#define EVOKE_MLX_SHUFFLE(name, T, B)                                       \
  EVOKE_METAL_INLINE T name(T value, ushort parameter, EVOKE_METAL_PLACE) { \
    return as_type<T>(                                                      \
        name(as_type<B>(value), parameter, evoke_line, evoke_column));      \
  }
EVOKE_MLX_SHUFFLE(simd_broadcast, bfloat, ushort)
EVOKE_MLX_SHUFFLE(simd_shuffle, bfloat, ushort)
EVOKE_MLX_SHUFFLE(simd_shuffle_down, bfloat, ushort)
EVOKE_MLX_SHUFFLE(simd_shuffle_rotate_down, bfloat, ushort)
EVOKE_MLX_SHUFFLE(simd_shuffle_rotate_up, bfloat, ushort)
EVOKE_MLX_SHUFFLE(simd_shuffle_up, bfloat, ushort)
EVOKE_MLX_SHUFFLE(simd_shuffle_xor, bfloat, ushort)
#define EVOKE_MLX_FILL(name)                                                  \
  EVOKE_METAL_INLINE bfloat name(bfloat value, bfloat filling, ushort delta,  \
                                 ushort modulo, EVOKE_METAL_PLACE) {          \
    return as_type<bfloat>(name(as_type<ushort>(value),                       \
                                as_type<ushort>(filling), delta, modulo,      \
                                evoke_line, evoke_column));                   \
  }                                                                           \
  EVOKE_METAL_INLINE bfloat name(bfloat value, bfloat filling, ushort delta,  \
                                 EVOKE_METAL_PLACE) {                         \
    return name(value, filling, delta, ushort{32}, evoke_line, evoke_column); \
  }
EVOKE_MLX_FILL(simd_shuffle_and_fill_down)
EVOKE_MLX_FILL(simd_shuffle_and_fill_up)
#define EVOKE_MLX_REDUCTION(name)                                   \
  EVOKE_METAL_INLINE bfloat name(bfloat value, EVOKE_METAL_PLACE) { \
    return static_cast<bfloat>(                                     \
        name(static_cast<float>(value), evoke_line, evoke_column)); \
  }
EVOKE_MLX_REDUCTION(simd_max)
EVOKE_MLX_REDUCTION(simd_min)
EVOKE_MLX_REDUCTION(simd_prefix_exclusive_product)
EVOKE_MLX_REDUCTION(simd_prefix_exclusive_sum)
EVOKE_MLX_REDUCTION(simd_prefix_inclusive_product)
EVOKE_MLX_REDUCTION(simd_prefix_inclusive_sum)
EVOKE_MLX_REDUCTION(simd_product)
EVOKE_MLX_REDUCTION(simd_sum)

}  // namespace metal

#define EVOKE_MLX_WIDE(name)                                         \
  EVOKE_MLX_SHUFFLE(name, uint64_t, uint2)                           \
  EVOKE_MLX_SHUFFLE(name, int64_t, uint2)                            \
  EVOKE_METAL_INLINE bool name(bool value, ushort parameter,         \
                               EVOKE_METAL_PLACE) {                  \
    return name(static_cast<uint32_t>(value), parameter, evoke_line, \
                evoke_column);                                       \
  }
EVOKE_MLX_WIDE(simd_shuffle_down)
EVOKE_MLX_WIDE(simd_shuffle_up)

template <class U>
struct Limits {
  static constexpr U max = metal::numeric_limits<U>::max();
  static constexpr U min = metal::numeric_limits<U>::min();
  static constexpr U finite_max = metal::numeric_limits<U>::max();
  static constexpr U finite_min = metal::numeric_limits<U>::min();
};
#define EVOKE_MLX_LIMITS(T)                                           \
  template <>                                                         \
  struct Limits<T> {                                                  \
    static constexpr T max = metal::numeric_limits<T>::infinity();    \
    static constexpr T min = -metal::numeric_limits<T>::infinity();   \
    static constexpr T finite_max = metal::numeric_limits<T>::max();  \
    static constexpr T finite_min = -metal::numeric_limits<T>::max(); \
  };
EVOKE_MLX_LIMITS(float)
EVOKE_MLX_LIMITS(half)
EVOKE_MLX_LIMITS(bfloat)
template <>
struct Limits<bool> {
  static constexpr bool max = true;
  static constexpr bool min = false;
};

#define MLX_MTL_PRAGMA_UNROLL _Pragma("clang loop unroll(full)")
#define MLX_MTL_LOOP_UNROLL _Pragma("clang loop unroll(full)")

template <class Index = int64_t>
METAL_FUNC Index elem_to_loc(Index element, constant int* shape,
                             constant int64_t* strides, int ndim) {
  Index place = 0;
  for (int d = ndim - 1; d >= 0 && element > 0; --d) {
    place += (element % shape[d]) * Index(strides[d]);
    element /= shape[d];
  }
  return place;
}
template <class Index = int64_t>
METAL_FUNC Index elem_to_loc(uint3 element, constant int* shape,
                             constant int64_t* strides, int ndim) {
  Index place = element.x * Index(strides[ndim - 1]) +
                element.y * Index(strides[ndim - 2]);
  for (int d = ndim - 3; d >= 0; --d) {
    place += (element.z % shape[d]) * Index(strides[d]);
    element.z /= shape[d];
  }
  return place;
}
template <class T, class U>
METAL_FUNC T ceildiv(T n, U m) {
  return (n + m - 1) / m;
}
METAL_FUNC float log1p(float x) { return __builtin_log1pf(x); }
METAL_FUNC bfloat16_t log1p(bfloat16_t x) {
  return static_cast<bfloat16_t>(__builtin_log1pf(x));
}
