// Metal's arithmetic library (sections 6.1 to 6.7) for float, half, their
// vectors and integers. There is no overload for bfloat here: MLX adds those
// that it adds (mlx.h), and what is missing is missing in Metal, too.
#pragma once

#include "evoke/devices/metal/host/shim/vectors.h"

namespace metal {

template <class A>
inline constexpr bool evoke_floats = evoke_length<A> > 0 &&
                                     (__is_same(evoke_element<A>, float) ||
                                      __is_same(evoke_element<A>, half));
template <class A>
inline constexpr bool evoke_integers =
    evoke_length<A> > 0 && evoke_is_integer<evoke_element<A>>;
template <class A>
inline constexpr bool evoke_numbers = evoke_floats<A> || evoke_integers<A>;
template <class A, class B, class C>
constexpr bool evoke_operands3() {
  if constexpr (evoke_operands<A, B>()) {
    return evoke_operands<evoke_common<A, B>, C>();
  } else if constexpr (evoke_length<A> == 0 && evoke_length<B> == 0) {
    return evoke_operands<A, C>() && evoke_operands<B, C>();
  } else {
    return false;
  }
}
template <class A, class B, class C>
using evoke_common3 =
    evoke_common<conditional_t<(evoke_length<A> > 0), A,
                               conditional_t<(evoke_length<B> > 0), B, C>>,
                 int>;

// The two floating overloads: which one a call means must be plain. A bfloat
// becomes a float; an integer could become either.
#define EVOKE_METAL_UNARY(name, expression)                     \
  EVOKE_METAL_INLINE float name(float x) { return expression; } \
  template <class H, enable_if_t<evoke_is_half<H>, int> = 0>    \
  EVOKE_METAL_INLINE half name(H h) {                           \
    const float x = h;                                          \
    return static_cast<half>(expression);                       \
  }                                                             \
  template <class I, enable_if_t<__is_integral(I), int> = 0>    \
  float name(I) = delete;                                       \
  EVOKE_METAL_UNARY_VECTOR(name, evoke_floats)
#define EVOKE_METAL_UNARY_VECTOR(name, kind)                                   \
  template <class A, enable_if_t<kind<A>, int> = 0>                            \
  EVOKE_METAL_INLINE vec<evoke_element<A>, evoke_length<A>> name(const A& a) { \
    vec<evoke_element<A>, evoke_length<A>> result;                             \
    for (int i = 0; i < evoke_length<A>; ++i) result[i] = name(a[i]);          \
    return result;                                                             \
  }

template <class A, class B>
inline constexpr bool evoke_mixed =
    (evoke_is_half<A> || evoke_is_half<B>) && evoke_length<A> == 0 &&
    evoke_length<B> == 0 && !__is_same(A, B);

#define EVOKE_METAL_BINARY(name, expression)                             \
  EVOKE_METAL_INLINE float name(float x, float y) { return expression; } \
  template <class H, enable_if_t<evoke_is_half<H>, int> = 0>             \
  EVOKE_METAL_INLINE half name(H h, H k) {                               \
    const float x = h;                                                   \
    const float y = k;                                                   \
    return static_cast<half>(expression);                                \
  }                                                                      \
  template <class A, class B, enable_if_t<evoke_mixed<A, B>, int> = 0>   \
  float name(A, B) = delete;                                             \
  EVOKE_METAL_BINARY_VECTOR(name, evoke_floats)
#define EVOKE_METAL_BINARY_VECTOR(name, kind)                               \
  template <class A, class B,                                               \
            enable_if_t<evoke_operands<A, B>() && kind<evoke_common<A, B>>, \
                        int> = 0>                                           \
  EVOKE_METAL_INLINE evoke_common<A, B> name(const A& a, const B& b) {      \
    using V = evoke_common<A, B>;                                           \
    V result;                                                               \
    for (int i = 0; i < evoke_length<V>; ++i) {                             \
      result[i] = name(evoke_component<V>(a, i), evoke_component<V>(b, i)); \
    }                                                                       \
    return result;                                                          \
  }

#define EVOKE_METAL_TERNARY(name, expression)                             \
  EVOKE_METAL_INLINE float name(float x, float y, float z) {              \
    return expression;                                                    \
  }                                                                       \
  template <class H, enable_if_t<evoke_is_half<H>, int> = 0>              \
  EVOKE_METAL_INLINE half name(H h, H k, H l) {                           \
    const float x = h;                                                    \
    const float y = k;                                                    \
    const float z = l;                                                    \
    return static_cast<half>(expression);                                 \
  }                                                                       \
  template <class A, class B, class C,                                    \
            enable_if_t<evoke_mixed<A, B> || evoke_mixed<B, C>, int> = 0> \
  float name(A, B, C) = delete;                                           \
  EVOKE_METAL_TERNARY_VECTOR(name, evoke_floats)
#define EVOKE_METAL_TERNARY_VECTOR(name, kind)                                \
  template <                                                                  \
      class A, class B, class C,                                              \
      enable_if_t<evoke_operands3<A, B, C>() && kind<evoke_common3<A, B, C>>, \
                  int> = 0>                                                   \
  EVOKE_METAL_INLINE evoke_common3<A, B, C> name(const A& a, const B& b,      \
                                                 const C& c) {                \
    using V = evoke_common3<A, B, C>;                                         \
    V result;                                                                 \
    for (int i = 0; i < evoke_length<V>; ++i) {                               \
      result[i] = name(evoke_component<V>(a, i), evoke_component<V>(b, i),    \
                       evoke_component<V>(c, i));                             \
    }                                                                         \
    return result;                                                            \
  }

#define EVOKE_METAL_FLOAT_FUNCTIONS                                     \
  EVOKE_METAL_UNARY(acos, __builtin_acosf(x))                           \
  EVOKE_METAL_UNARY(acosh, __builtin_acoshf(x))                         \
  EVOKE_METAL_UNARY(asin, __builtin_asinf(x))                           \
  EVOKE_METAL_UNARY(asinh, __builtin_asinhf(x))                         \
  EVOKE_METAL_UNARY(atan, __builtin_atanf(x))                           \
  EVOKE_METAL_UNARY(atanh, __builtin_atanhf(x))                         \
  EVOKE_METAL_UNARY(ceil, __builtin_ceilf(x))                           \
  EVOKE_METAL_UNARY(cos, __builtin_cosf(x))                             \
  EVOKE_METAL_UNARY(cosh, __builtin_coshf(x))                           \
  EVOKE_METAL_UNARY(cospi, __builtin_cosf(x* M_PI_F))                   \
  EVOKE_METAL_UNARY(exp, __builtin_expf(x))                             \
  EVOKE_METAL_UNARY(exp2, __builtin_exp2f(x))                           \
  EVOKE_METAL_UNARY(exp10, __builtin_powf(10.0f, x))                    \
  EVOKE_METAL_UNARY(fabs, __builtin_fabsf(x))                           \
  EVOKE_METAL_UNARY(floor, __builtin_floorf(x))                         \
  EVOKE_METAL_UNARY(fract, evoke_fract(x))                              \
  EVOKE_METAL_UNARY(log, __builtin_logf(x))                             \
  EVOKE_METAL_UNARY(log2, __builtin_log2f(x))                           \
  EVOKE_METAL_UNARY(log10, __builtin_log10f(x))                         \
  EVOKE_METAL_UNARY(rint, __builtin_rintf(x))                           \
  EVOKE_METAL_UNARY(round, __builtin_roundf(x))                         \
  EVOKE_METAL_UNARY(rsqrt, 1.0f / __builtin_sqrtf(x))                   \
  EVOKE_METAL_UNARY(sin, __builtin_sinf(x))                             \
  EVOKE_METAL_UNARY(sinh, __builtin_sinhf(x))                           \
  EVOKE_METAL_UNARY(sinpi, __builtin_sinf(x* M_PI_F))                   \
  EVOKE_METAL_UNARY(sqrt, __builtin_sqrtf(x))                           \
  EVOKE_METAL_UNARY(tan, __builtin_tanf(x))                             \
  EVOKE_METAL_UNARY(tanh, __builtin_tanhf(x))                           \
  EVOKE_METAL_UNARY(tanpi, __builtin_tanf(x* M_PI_F))                   \
  EVOKE_METAL_UNARY(trunc, __builtin_truncf(x))                         \
  EVOKE_METAL_BINARY(atan2, __builtin_atan2f(x, y))                     \
  EVOKE_METAL_BINARY(copysign, __builtin_copysignf(x, y))               \
  EVOKE_METAL_BINARY(divide, x / y)                                     \
  EVOKE_METAL_BINARY(fdim, __builtin_fdimf(x, y))                       \
  EVOKE_METAL_BINARY(fmax, __builtin_fmaxf(x, y))                       \
  EVOKE_METAL_BINARY(fmin, __builtin_fminf(x, y))                       \
  EVOKE_METAL_BINARY(fmod, __builtin_fmodf(x, y))                       \
  EVOKE_METAL_BINARY(nextafter, __builtin_nextafterf(x, y))             \
  EVOKE_METAL_BINARY(pow, __builtin_powf(x, y))                         \
  EVOKE_METAL_BINARY(powr, __builtin_powf(x, y))                        \
  EVOKE_METAL_TERNARY(fma, __builtin_fmaf(x, y, z))                     \
  EVOKE_METAL_TERNARY(fmax3, __builtin_fmaxf(__builtin_fmaxf(x, y), z)) \
  EVOKE_METAL_TERNARY(fmin3, __builtin_fminf(__builtin_fminf(x, y), z)) \
  EVOKE_METAL_TERNARY(fmedian3, evoke_median(x, y, z))                  \
  EVOKE_METAL_INLINE float frexp(float x, int& exponent) {              \
    return __builtin_frexpf(x, &exponent);                              \
  }                                                                     \
  EVOKE_METAL_INLINE float ldexp(float x, int k) {                      \
    return __builtin_ldexpf(x, k);                                      \
  }                                                                     \
  EVOKE_METAL_INLINE float modf(float x, float& whole) {                \
    whole = __builtin_truncf(x);                                        \
    return x - whole;                                                   \
  }                                                                     \
  EVOKE_METAL_INLINE float sincos(float x, float& cosine) {             \
    cosine = __builtin_cosf(x);                                         \
    return __builtin_sinf(x);                                           \
  }

EVOKE_METAL_INLINE float evoke_fract(float x) {
  return __builtin_fminf(x - __builtin_floorf(x), 0x1.fffffep-1f);
}
EVOKE_METAL_INLINE float evoke_median(float x, float y, float z) {
  return __builtin_fmaxf(__builtin_fminf(x, y),
                         __builtin_fminf(__builtin_fmaxf(x, y), z));
}

EVOKE_METAL_INLINE float evoke_smoothstep(float low, float high, float x) {
  const float t =
      __builtin_fminf(__builtin_fmaxf((x - low) / (high - low), 0.0f), 1.0f);
  return t * t * (3.0f - 2.0f * t);
}

EVOKE_METAL_FLOAT_FUNCTIONS

// Common functions (6.2), which are not in fast:: and precise::.
EVOKE_METAL_BINARY(step, y < x ? 0.0f : 1.0f)
EVOKE_METAL_TERNARY(mix, x + (y - x) * z)
EVOKE_METAL_TERNARY(smoothstep, evoke_smoothstep(x, y, z))
EVOKE_METAL_UNARY(saturate, __builtin_fminf(__builtin_fmaxf(x, 0.0f), 1.0f))
EVOKE_METAL_UNARY(sign, x != x ? 0.0f : x > 0 ? 1.0f : x < 0 ? -1.0f : x)

// abs, min, max, clamp and their like exist for integers as well.
#define EVOKE_METAL_ORDERED                                             \
  EVOKE_METAL_UNARY_FLOATS(abs, __builtin_fabsf(x))                     \
  EVOKE_METAL_BINARY(max, __builtin_fmaxf(x, y))                        \
  EVOKE_METAL_BINARY(min, __builtin_fminf(x, y))                        \
  EVOKE_METAL_BINARY_VECTOR(max, evoke_integers)                        \
  EVOKE_METAL_BINARY_VECTOR(min, evoke_integers)                        \
  EVOKE_METAL_TERNARY_VECTOR(clamp, evoke_integers)                     \
  EVOKE_METAL_TERNARY(max3, __builtin_fmaxf(__builtin_fmaxf(x, y), z))  \
  EVOKE_METAL_TERNARY(min3, __builtin_fminf(__builtin_fminf(x, y), z))  \
  EVOKE_METAL_TERNARY(median3, evoke_median(x, y, z))                   \
  EVOKE_METAL_TERNARY(clamp, __builtin_fminf(__builtin_fmaxf(x, y), z)) \
  EVOKE_METAL_ORDERED_INTEGERS(char)                                    \
  EVOKE_METAL_ORDERED_INTEGERS(uchar)                                   \
  EVOKE_METAL_ORDERED_INTEGERS(short)                                   \
  EVOKE_METAL_ORDERED_INTEGERS(ushort)                                  \
  EVOKE_METAL_ORDERED_INTEGERS(int)                                     \
  EVOKE_METAL_ORDERED_INTEGERS(uint)                                    \
  EVOKE_METAL_ORDERED_INTEGERS(long)                                    \
  EVOKE_METAL_ORDERED_INTEGERS(ulong)
#define EVOKE_METAL_UNARY_FLOATS(name, expression)              \
  EVOKE_METAL_INLINE float name(float x) { return expression; } \
  template <class H, enable_if_t<evoke_is_half<H>, int> = 0>    \
  EVOKE_METAL_INLINE half name(H h) {                           \
    const float x = h;                                          \
    return static_cast<half>(expression);                       \
  }                                                             \
  EVOKE_METAL_UNARY_VECTOR(name, evoke_numbers)
// Of two kinds of numbers none is the better one.
#define EVOKE_METAL_ORDERED_INTEGERS(T)                                    \
  EVOKE_METAL_INLINE T abs(T x) { return x < 0 ? static_cast<T>(-x) : x; } \
  EVOKE_METAL_INLINE T max(T x, T y) { return x < y ? y : x; }             \
  EVOKE_METAL_INLINE T min(T x, T y) { return y < x ? y : x; }             \
  EVOKE_METAL_INLINE T max3(T x, T y, T z) { return max(max(x, y), z); }   \
  EVOKE_METAL_INLINE T min3(T x, T y, T z) { return min(min(x, y), z); }   \
  EVOKE_METAL_INLINE T median3(T x, T y, T z) {                            \
    return max(min(x, y), min(max(x, y), z));                              \
  }                                                                        \
  EVOKE_METAL_INLINE T clamp(T x, T low, T high) {                         \
    return min(max(x, low), high);                                         \
  }

EVOKE_METAL_ORDERED

namespace fast {
EVOKE_METAL_FLOAT_FUNCTIONS
EVOKE_METAL_ORDERED
}  // namespace fast
namespace precise {
EVOKE_METAL_FLOAT_FUNCTIONS
EVOKE_METAL_ORDERED
}  // namespace precise

// Relational functions (6.3). A bfloat could become the one or the other.
#define EVOKE_METAL_TEST(name, expression)                     \
  EVOKE_METAL_INLINE bool name(float x) { return expression; } \
  template <class H, enable_if_t<evoke_is_half<H>, int> = 0>   \
  EVOKE_METAL_INLINE bool name(H h) {                          \
    const float x = h;                                         \
    return expression;                                         \
  }                                                            \
  template <class B, enable_if_t<evoke_is_bfloat<B>, int> = 0> \
  bool name(B) = delete;                                       \
  template <class T, int N>                                    \
  EVOKE_METAL_INLINE vec<bool, N> name(vec<T, N> x) {          \
    vec<bool, N> result;                                       \
    for (int i = 0; i < N; ++i) result[i] = name(x[i]);        \
    return result;                                             \
  }
EVOKE_METAL_TEST(isnan, __builtin_isnan(x))
EVOKE_METAL_TEST(isinf, __builtin_isinf(x))
EVOKE_METAL_TEST(isfinite, __builtin_isfinite(x))
EVOKE_METAL_TEST(isnormal, __builtin_isnormal(x))
EVOKE_METAL_TEST(signbit, __builtin_signbit(x))

template <int N>
EVOKE_METAL_INLINE bool any(vec<bool, N> x) {
  bool result = false;
  for (int i = 0; i < N; ++i) result |= x[i];
  return result;
}
template <int N>
EVOKE_METAL_INLINE bool all(vec<bool, N> x) {
  bool result = true;
  for (int i = 0; i < N; ++i) result &= x[i];
  return result;
}
EVOKE_METAL_INLINE bool any(bool x) { return x; }
EVOKE_METAL_INLINE bool all(bool x) { return x; }

#define EVOKE_METAL_SELECT(T) \
  EVOKE_METAL_INLINE T select(T a, T b, bool c) { return c ? b : a; }
EVOKE_METAL_SELECT(float)
EVOKE_METAL_SELECT(half)
EVOKE_METAL_SELECT(int)
EVOKE_METAL_SELECT(uint)
EVOKE_METAL_SELECT(short)
EVOKE_METAL_SELECT(ushort)
template <
    class A, class B, int N,
    enable_if_t<evoke_operands<A, B>() && evoke_numbers<evoke_common<A, B>>,
                int> = 0>
EVOKE_METAL_INLINE evoke_common<A, B> select(const A& a, const B& b,
                                             vec<bool, N> c) {
  using V = evoke_common<A, B>;
  V result;
  for (int i = 0; i < N; ++i) {
    result[i] = c[i] ? evoke_component<V>(b, i) : evoke_component<V>(a, i);
  }
  return result;
}

// Geometric functions (6.4).
template <
    class A, class B,
    enable_if_t<evoke_operands<A, B>() && evoke_floats<A> && evoke_floats<B>,
                int> = 0>
EVOKE_METAL_INLINE evoke_element<A> dot(const A& a, const B& b) {
  float sum = 0;
  for (int i = 0; i < evoke_length<A>; ++i) {
    sum += static_cast<float>(a[i]) * static_cast<float>(b[i]);
  }
  return static_cast<evoke_element<A>>(sum);
}
template <class A, enable_if_t<evoke_floats<A>, int> = 0>
EVOKE_METAL_INLINE evoke_element<A> length_squared(const A& a) {
  return dot(a, a);
}
template <class A, enable_if_t<evoke_floats<A>, int> = 0>
EVOKE_METAL_INLINE evoke_element<A> length(const A& a) {
  return sqrt(dot(a, a));
}
template <
    class A, class B,
    enable_if_t<evoke_operands<A, B>() && evoke_floats<A> && evoke_floats<B>,
                int> = 0>
EVOKE_METAL_INLINE evoke_element<A> distance(const A& a, const B& b) {
  return length(a - b);
}
template <class A, enable_if_t<evoke_floats<A>, int> = 0>
EVOKE_METAL_INLINE vec<evoke_element<A>, evoke_length<A>> normalize(
    const A& a) {
  return a * rsqrt(dot(a, a));
}

// Integer functions (6.6).
#define EVOKE_METAL_INTEGER(T, bits, count_ones, count_zeros)           \
  EVOKE_METAL_INLINE T popcount(T x) { return count_ones; }             \
  EVOKE_METAL_INLINE T clz(T x) { return x == 0 ? bits : count_zeros; } \
  EVOKE_METAL_INLINE T rotate(T x, T n) {                               \
    const uint by = static_cast<uint>(n) % bits;                        \
    using U = __make_unsigned(T);                                       \
    return by == 0 ? x                                                  \
                   : static_cast<T>(static_cast<U>(x) << by |           \
                                    static_cast<U>(x) >> (bits - by));  \
  }
EVOKE_METAL_INTEGER(int, 32, __builtin_popcount(x), __builtin_clz(x))
EVOKE_METAL_INTEGER(uint, 32, __builtin_popcount(x), __builtin_clz(x))
EVOKE_METAL_INTEGER(long, 64, __builtin_popcountl(x), __builtin_clzl(x))
EVOKE_METAL_INTEGER(ulong, 64, __builtin_popcountl(x), __builtin_clzl(x))
EVOKE_METAL_INLINE int mulhi(int x, int y) {
  return static_cast<int>((static_cast<long>(x) * y) >> 32);
}
EVOKE_METAL_INLINE uint mulhi(uint x, uint y) {
  return static_cast<uint>((static_cast<ulong>(x) * y) >> 32);
}
EVOKE_METAL_INLINE uint absdiff(int x, int y) {
  return x < y ? static_cast<uint>(y) - static_cast<uint>(x)
               : static_cast<uint>(x) - static_cast<uint>(y);
}

}  // namespace metal
