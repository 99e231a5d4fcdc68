// Metal's scalar and vector types for a host compiler, no less strict than
// Metal: what converts to what is the Metal Shading Language's rule (section
// 2, "Data types"), of which bfloat's is the one that kernels trip over.
#pragma once

#include "evoke/devices/metal/host/kernel_abi.h"

#define EVOKE_METAL_INLINE inline __attribute__((always_inline, nodebug))

#define device
#define constant const
#define threadgroup
#define thread
#define threadgroup_imageblock
#define kernel
#define METAL_FUNC inline __attribute__((always_inline))
#define INFINITY __builtin_inff()
#define HUGE_VALF __builtin_inff()
#define NAN __builtin_nanf("")
#define FLT_MAX 3.40282346638528859812e+38f
#define FLT_MIN 1.17549435082228750797e-38f
#define FLT_EPSILON 1.1920928955078125e-7f
#define MAXFLOAT FLT_MAX
#define HALF_MAX 65504.0_evoke_h
#define INT_MAX 2147483647
#define INT_MIN (-2147483647 - 1)
#define UINT_MAX 4294967295u
#define M_PI_F 3.14159265358979323846f
#define M_LOG2E_F 1.44269504088896340736f
#define M_LN2_F 0.693147180559945309417f
#define M_SQRT2_F 1.41421356237309504880f

typedef unsigned char uchar;
typedef unsigned short ushort;
typedef unsigned int uint;
typedef unsigned long ulong;
typedef __SIZE_TYPE__ size_t;
typedef __PTRDIFF_TYPE__ ptrdiff_t;
typedef _Float16 half;

namespace metal {

template <bool Condition, class T = void>
struct enable_if {};
template <class T>
struct enable_if<true, T> {
  using type = T;
};
template <bool Condition, class T = void>
using enable_if_t = typename enable_if<Condition, T>::type;
template <bool Condition, class A, class B>
struct conditional {
  using type = A;
};
template <class A, class B>
struct conditional<false, A, B> {
  using type = B;
};
template <bool Condition, class A, class B>
using conditional_t = typename conditional<Condition, A, B>::type;
template <class T, T Value>
struct integral_constant {
  static constexpr T value = Value;
  using value_type = T;
  using type = integral_constant;
  constexpr operator T() const { return Value; }
};
using true_type = integral_constant<bool, true>;
using false_type = integral_constant<bool, false>;
template <class T>
struct remove_const {
  using type = T;
};
template <class T>
struct remove_const<const T> {
  using type = T;
};
template <class T>
using remove_const_t = typename remove_const<T>::type;
template <class T>
struct remove_cv {
  using type = __remove_cv(T);
};
template <class T>
using remove_cv_t = __remove_cv(T);
template <class T>
using remove_reference_t = __remove_reference_t(T);
template <class T>
struct remove_reference {
  using type = __remove_reference_t(T);
};
template <class A, class B>
struct is_same : integral_constant<bool, __is_same(A, B)> {};
template <class A, class B>
inline constexpr bool is_same_v = __is_same(A, B);
template <class A, class B>
struct is_convertible : integral_constant<bool, __is_convertible_to(A, B)> {};
template <class A, class B>
inline constexpr bool is_convertible_v = __is_convertible_to(A, B);

}  // namespace metal

// The bits of a bfloat16. Converts without a cast to float and to what float
// converts to, but not to half; from integers, but not from float or half.
struct bfloat;

namespace metal {

template <class T>
inline constexpr bool evoke_is_integer =
    __is_integral(T) && !__is_same(T, bool);
template <class T>
inline constexpr bool evoke_is_bfloat = __is_same(T, bfloat);
template <class T>
inline constexpr bool evoke_is_half = __is_same(T, half);
template <class T>
inline constexpr bool evoke_is_scalar =
    __is_integral(T) || __is_same(T, float) || __is_same(T, half) ||
    __is_same(T, bfloat);

template <class T>
struct is_integral : integral_constant<bool, __is_integral(T)> {};
template <class T>
inline constexpr bool is_integral_v = __is_integral(T);
template <class T>
struct is_floating_point
    : integral_constant<bool, __is_same(T, float) || __is_same(T, half) ||
                                  __is_same(T, bfloat)> {};
template <class T>
inline constexpr bool is_floating_point_v = is_floating_point<T>::value;
template <class T>
struct is_unsigned : integral_constant<bool, __is_unsigned(T)> {};
template <class T>
inline constexpr bool is_unsigned_v = __is_unsigned(T);
template <class T>
struct is_signed : integral_constant<bool, __is_signed(T)> {};
template <class T>
struct is_arithmetic : integral_constant<bool, evoke_is_scalar<T>> {};
template <class T>
inline constexpr bool is_arithmetic_v = evoke_is_scalar<T>;

// To the nearest, ties to even; every NaN becomes the quiet one.
constexpr __bf16 evoke_round_to_bfloat(float value) {
  const uint32_t bits = __builtin_bit_cast(uint32_t, value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) {
    return __builtin_bit_cast(
        __bf16, static_cast<uint16_t>((bits >> 16 & 0x8000u) | 0x7fc0u));
  }
  return __builtin_bit_cast(
      __bf16,
      static_cast<uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16));
}

}  // namespace metal

struct bfloat {
  __bf16 evoke_bits;

  bfloat() = default;
  template <class I, metal::enable_if_t<__is_integral(I), int> = 0>
  EVOKE_METAL_INLINE constexpr bfloat(I value)
      : evoke_bits(metal::evoke_round_to_bfloat(static_cast<float>(value))) {}
  EVOKE_METAL_INLINE explicit constexpr bfloat(float value)
      : evoke_bits(metal::evoke_round_to_bfloat(value)) {}
  EVOKE_METAL_INLINE explicit constexpr bfloat(half value)
      : evoke_bits(metal::evoke_round_to_bfloat(static_cast<float>(value))) {}

  EVOKE_METAL_INLINE constexpr operator float() const {
    const uint32_t bits = __builtin_bit_cast(uint16_t, evoke_bits);
    return __builtin_bit_cast(float, bits << 16);
  }
  // "bfloat cannot be implicitly converted to half."
  template <class H, metal::enable_if_t<metal::evoke_is_half<H>, int> = 0>
  operator H() const = delete;
  EVOKE_METAL_INLINE explicit constexpr operator half() const {
    return static_cast<half>(static_cast<float>(*this));
  }

#define EVOKE_METAL_OPERATOR(op)                                               \
  friend EVOKE_METAL_INLINE constexpr bfloat operator op(bfloat a, bfloat b) { \
    return bfloat(static_cast<float>(a) op static_cast<float>(b));             \
  }                                                                            \
  template <class I, metal::enable_if_t<__is_integral(I), int> = 0>            \
  friend EVOKE_METAL_INLINE constexpr bfloat operator op(bfloat a, I b) {      \
    return a op bfloat(b);                                                     \
  }                                                                            \
  template <class I, metal::enable_if_t<__is_integral(I), int> = 0>            \
  friend EVOKE_METAL_INLINE constexpr bfloat operator op(I a, bfloat b) {      \
    return bfloat(a) op b;                                                     \
  }                                                                            \
  friend void operator op(bfloat, half) = delete;                              \
  friend void operator op(half, bfloat) = delete;                              \
  friend EVOKE_METAL_INLINE constexpr float operator op(bfloat a, float b) {   \
    return static_cast<float>(a) op b;                                         \
  }                                                                            \
  friend EVOKE_METAL_INLINE constexpr float operator op(float a, bfloat b) {   \
    return a op static_cast<float>(b);                                         \
  }                                                                            \
  EVOKE_METAL_INLINE bfloat& operator op##=(bfloat b) {                        \
    return *this = *this op b;                                                 \
  }
  EVOKE_METAL_OPERATOR(+)
  EVOKE_METAL_OPERATOR(-)
  EVOKE_METAL_OPERATOR(*)
  EVOKE_METAL_OPERATOR(/)
#undef EVOKE_METAL_OPERATOR

#define EVOKE_METAL_COMPARISON(op)                                           \
  friend EVOKE_METAL_INLINE constexpr bool operator op(bfloat a, bfloat b) { \
    return static_cast<float>(a) op static_cast<float>(b);                   \
  }                                                                          \
  template <class I, metal::enable_if_t<__is_integral(I), int> = 0>          \
  friend EVOKE_METAL_INLINE constexpr bool operator op(bfloat a, I b) {      \
    return static_cast<float>(a) op static_cast<float>(b);                   \
  }                                                                          \
  template <class I, metal::enable_if_t<__is_integral(I), int> = 0>          \
  friend EVOKE_METAL_INLINE constexpr bool operator op(I a, bfloat b) {      \
    return static_cast<float>(a) op static_cast<float>(b);                   \
  }                                                                          \
  friend bool operator op(bfloat, half) = delete;                            \
  friend bool operator op(half, bfloat) = delete;                            \
  friend EVOKE_METAL_INLINE constexpr bool operator op(bfloat a, float b) {  \
    return static_cast<float>(a) op b;                                       \
  }                                                                          \
  friend EVOKE_METAL_INLINE constexpr bool operator op(float a, bfloat b) {  \
    return a op static_cast<float>(b);                                       \
  }
  EVOKE_METAL_COMPARISON(==)
  EVOKE_METAL_COMPARISON(!=)
  EVOKE_METAL_COMPARISON(<)
  EVOKE_METAL_COMPARISON(<=)
  EVOKE_METAL_COMPARISON(>)
  EVOKE_METAL_COMPARISON(>=)
#undef EVOKE_METAL_COMPARISON

  EVOKE_METAL_INLINE constexpr bfloat operator-() const {
    return bfloat(-static_cast<float>(*this));
  }
  EVOKE_METAL_INLINE constexpr bfloat operator+() const { return *this; }
  EVOKE_METAL_INLINE constexpr bool operator!() const {
    return !static_cast<float>(*this);
  }
  EVOKE_METAL_INLINE bfloat& operator++() { return *this += 1; }
  EVOKE_METAL_INLINE bfloat& operator--() { return *this -= 1; }
  EVOKE_METAL_INLINE bfloat operator++(int) {
    const bfloat old = *this;
    *this += 1;
    return old;
  }
  EVOKE_METAL_INLINE bfloat operator--(int) {
    const bfloat old = *this;
    *this -= 1;
    return old;
  }
};

// 1.5h and 1.5bf, as the rewriter spells them.
constexpr half operator""_evoke_h(long double value) {
  return static_cast<half>(value);
}
constexpr bfloat operator""_evoke_bf(long double value) {
  return bfloat(static_cast<float>(value));
}

namespace metal {

using ::bfloat;
using ::half;

template <class T>
struct numeric_limits;
#define EVOKE_METAL_LIMITS(T, Low, High)                     \
  template <>                                                \
  struct numeric_limits<T> {                                 \
    static constexpr T max() { return High; }                \
    static constexpr T min() { return Low; }                 \
    static constexpr T lowest() { return Low; }              \
    static constexpr int digits = sizeof(T) * 8 - (Low < 0); \
    static constexpr bool is_integer = true;                 \
    static constexpr bool is_signed = Low < 0;               \
  };
EVOKE_METAL_LIMITS(bool, false, true)
EVOKE_METAL_LIMITS(char, -128, 127)
EVOKE_METAL_LIMITS(signed char, -128, 127)
EVOKE_METAL_LIMITS(uchar, 0, 255)
EVOKE_METAL_LIMITS(short, -32768, 32767)
EVOKE_METAL_LIMITS(ushort, 0, 65535)
EVOKE_METAL_LIMITS(int, -2147483647 - 1, 2147483647)
EVOKE_METAL_LIMITS(uint, 0, 4294967295u)
EVOKE_METAL_LIMITS(long, -9223372036854775807l - 1, 9223372036854775807l)
EVOKE_METAL_LIMITS(ulong, 0, 18446744073709551615ul)
#undef EVOKE_METAL_LIMITS
#define EVOKE_METAL_LIMITS(T, Max, Min, Epsilon, Digits, Inf, Nan) \
  template <>                                                      \
  struct numeric_limits<T> {                                       \
    static constexpr T max() { return Max; }                       \
    static constexpr T lowest() { return -Max; }                   \
    static constexpr T min() { return Min; }                       \
    static constexpr T epsilon() { return Epsilon; }               \
    static constexpr T infinity() { return Inf; }                  \
    static constexpr T quiet_NaN() { return Nan; }                 \
    static constexpr T signaling_NaN() { return Nan; }             \
    static constexpr int digits = Digits;                          \
    static constexpr bool is_integer = false;                      \
    static constexpr bool is_signed = true;                        \
    static constexpr bool has_infinity = true;                     \
  };
EVOKE_METAL_LIMITS(float, FLT_MAX, FLT_MIN, FLT_EPSILON, 24, INFINITY, NAN)
EVOKE_METAL_LIMITS(half, 65504.0_evoke_h, 6.103515625e-5_evoke_h,
                   9.765625e-4_evoke_h, 11, static_cast<half>(INFINITY),
                   static_cast<half>(NAN))
EVOKE_METAL_LIMITS(bfloat, 3.38953138925153547590e+38_evoke_bf,
                   1.17549435e-38_evoke_bf, 0.0078125_evoke_bf, 8,
                   bfloat(INFINITY), bfloat(NAN))
#undef EVOKE_METAL_LIMITS

// The same bits as another type of the same size.
template <class To, class From>
EVOKE_METAL_INLINE To as_type(const From& value) {
  static_assert(sizeof(To) == sizeof(From),
                "as_type cast between types of different size is not allowed");
  To result;
  __builtin_memcpy(&result, &value, sizeof(To));
  return result;
}

}  // namespace metal

using metal::as_type;
