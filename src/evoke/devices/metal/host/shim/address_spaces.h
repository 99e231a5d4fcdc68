// The second reading of a kernel: address spaces are real, everything else is
// as loose as can be. Only messages that name an address space are believed,
// for this compiler cannot do with classes in address spaces what Metal can.
#pragma once

#include "evoke/devices/metal/host/kernel_abi.h"

#define EVOKE_METAL_VARIABLE(T, name) 0

#define device __attribute__((address_space(1)))
#define constant __attribute__((address_space(2))) const
#define threadgroup __attribute__((address_space(3)))
#define thread
#define kernel
#define METAL_FUNC inline
#define INFINITY __builtin_inff()
#define HUGE_VALF __builtin_inff()
#define NAN __builtin_nanf("")
#define FLT_MAX 3.40282346638528859812e+38f
#define FLT_MIN 1.17549435082228750797e-38f
#define FLT_EPSILON 1.1920928955078125e-7f
#define MAXFLOAT FLT_MAX
#define HALF_MAX 65504.0f
#define INT_MAX 2147483647
#define INT_MIN (-2147483647 - 1)
#define UINT_MAX 4294967295u
#define M_PI_F 3.14159265358979323846f
#define M_LOG2E_F 1.44269504088896340736f
#define M_LN2_F 0.693147180559945309417f
#define MLX_MTL_PRAGMA_UNROLL _Pragma("clang loop unroll(full)")
#define MLX_MTL_LOOP_UNROLL _Pragma("clang loop unroll(full)")

typedef unsigned char uchar;
typedef unsigned short ushort;
typedef unsigned int uint;
typedef unsigned long ulong;
typedef __SIZE_TYPE__ size_t;
typedef __PTRDIFF_TYPE__ ptrdiff_t;
typedef _Float16 half;
typedef __bf16 bfloat;
typedef bfloat bfloat16_t;
typedef half float16_t;

constexpr half operator""_evoke_h(long double value) {
  return static_cast<half>(value);
}
constexpr bfloat operator""_evoke_bf(long double value) {
  return static_cast<bfloat>(static_cast<float>(value));
}

namespace metal {

template <class T, int N>
using vec = T __attribute__((ext_vector_type(N)));
#define EVOKE_NAMES(T)        \
  using T##2 = vec<T, 2>;     \
  using T##3 = vec<T, 3>;     \
  using T##4 = vec<T, 4>;     \
  using packed_##T##2 = T##2; \
  using packed_##T##3 = T##3; \
  using packed_##T##4 = T##4;
EVOKE_NAMES(char)
EVOKE_NAMES(uchar)
EVOKE_NAMES(short)
EVOKE_NAMES(ushort)
EVOKE_NAMES(int)
EVOKE_NAMES(uint)
EVOKE_NAMES(long)
EVOKE_NAMES(ulong)
EVOKE_NAMES(half)
EVOKE_NAMES(float)
EVOKE_NAMES(bfloat)

enum class mem_flags {
  mem_none = 0,
  mem_device = 1,
  mem_threadgroup = 2,
  mem_texture = 4,
  mem_device_and_threadgroup = 3
};
constexpr mem_flags operator|(mem_flags a, mem_flags) { return a; }
enum memory_order { memory_order_relaxed, memory_order_seq_cst };
enum thread_scope { thread_scope_threadgroup, thread_scope_device };
void threadgroup_barrier(mem_flags);
void simdgroup_barrier(mem_flags);
template <class... A>
void atomic_thread_fence(A...);

template <class T>
struct atomic {
  T evoke_value;
};
using atomic_int = atomic<int>;
using atomic_uint = atomic<uint>;
using atomic_float = atomic<float>;
using atomic_bool = atomic<bool>;
template <class T>
struct numeric_limits {
  static constexpr T max() { return T(); }
  static constexpr T min() { return T(); }
  static constexpr T lowest() { return T(); }
  static constexpr T infinity() { return T(); }
  static constexpr T quiet_NaN() { return T(); }
  static constexpr T epsilon() { return T(); }
};
template <bool B, class T = void>
struct enable_if {};
template <class T>
struct enable_if<true, T> {
  using type = T;
};
template <bool B, class T = void>
using enable_if_t = typename enable_if<B, T>::type;
template <class A, class B>
inline constexpr bool is_same_v = __is_same(A, B);

template <class To, class From>
To as_type(From);

#define EVOKE_ANY(name)          \
  template <class A, class... B> \
  A name(A, B...);
#define EVOKE_ALL                                                              \
  EVOKE_ANY(abs)                                                               \
  EVOKE_ANY(acos)                                                              \
  EVOKE_ANY(acosh)                                                             \
  EVOKE_ANY(asin) EVOKE_ANY(asinh) EVOKE_ANY(atan) EVOKE_ANY(atan2) EVOKE_ANY( \
      atanh) EVOKE_ANY(ceil) EVOKE_ANY(copysign) EVOKE_ANY(cos)                \
      EVOKE_ANY(cosh) EVOKE_ANY(cospi) EVOKE_ANY(divide) EVOKE_ANY(exp)        \
          EVOKE_ANY(exp10) EVOKE_ANY(exp2) EVOKE_ANY(fabs) EVOKE_ANY(fdim)     \
              EVOKE_ANY(floor) EVOKE_ANY(fma) EVOKE_ANY(fmax) EVOKE_ANY(       \
                  fmin) EVOKE_ANY(fmax3) EVOKE_ANY(fmin3) EVOKE_ANY(fmedian3)  \
                  EVOKE_ANY(fmod) EVOKE_ANY(fract) EVOKE_ANY(log) EVOKE_ANY(   \
                      log10) EVOKE_ANY(log2) EVOKE_ANY(max) EVOKE_ANY(max3)    \
                      EVOKE_ANY(median3) EVOKE_ANY(min) EVOKE_ANY(min3)        \
                          EVOKE_ANY(nextafter) EVOKE_ANY(pow) EVOKE_ANY(powr)  \
                              EVOKE_ANY(rint) EVOKE_ANY(round)                 \
                                  EVOKE_ANY(rsqrt) EVOKE_ANY(sin)              \
                                      EVOKE_ANY(sinh) EVOKE_ANY(sinpi)         \
                                          EVOKE_ANY(sqrt) EVOKE_ANY(tan)       \
                                              EVOKE_ANY(tanh) EVOKE_ANY(tanpi) \
                                                  EVOKE_ANY(trunc)             \
                                                      EVOKE_ANY(clamp)
EVOKE_ALL
namespace fast {
EVOKE_ALL
}
namespace precise {
EVOKE_ALL
}
EVOKE_ANY(mix)
EVOKE_ANY(saturate)
EVOKE_ANY(sign)
EVOKE_ANY(smoothstep)
EVOKE_ANY(step)
EVOKE_ANY(select)
EVOKE_ANY(normalize)
EVOKE_ANY(popcount)
EVOKE_ANY(clz)
EVOKE_ANY(mulhi)
EVOKE_ANY(rotate)
EVOKE_ANY(simd_sum)
EVOKE_ANY(simd_product)
EVOKE_ANY(simd_max)
EVOKE_ANY(simd_min)
EVOKE_ANY(simd_and)
EVOKE_ANY(simd_or)
EVOKE_ANY(simd_xor)
EVOKE_ANY(simd_broadcast)
EVOKE_ANY(simd_broadcast_first)
EVOKE_ANY(simd_shuffle)
EVOKE_ANY(simd_shuffle_up)
EVOKE_ANY(simd_shuffle_down)
EVOKE_ANY(simd_shuffle_xor)
EVOKE_ANY(simd_shuffle_rotate_up)
EVOKE_ANY(simd_shuffle_rotate_down)
EVOKE_ANY(simd_shuffle_and_fill_up)
EVOKE_ANY(simd_shuffle_and_fill_down)
EVOKE_ANY(simd_prefix_inclusive_sum)
EVOKE_ANY(simd_prefix_exclusive_sum)
EVOKE_ANY(simd_prefix_inclusive_product)
EVOKE_ANY(simd_prefix_exclusive_product)
EVOKE_ANY(quad_broadcast)
EVOKE_ANY(quad_shuffle)
EVOKE_ANY(quad_shuffle_xor)
EVOKE_ANY(quad_shuffle_rotate_up)
EVOKE_ANY(quad_shuffle_rotate_down)
EVOKE_ANY(quad_shuffle_up)
EVOKE_ANY(quad_shuffle_down)
EVOKE_ANY(quad_sum)
EVOKE_ANY(quad_product)
EVOKE_ANY(quad_max)
EVOKE_ANY(quad_min)
EVOKE_ANY(quad_and)
EVOKE_ANY(quad_or)
EVOKE_ANY(quad_xor)
#undef EVOKE_ANY
template <class A>
bool isnan(A);
template <class A>
bool isinf(A);
template <class A>
bool isfinite(A);
template <class A>
bool any(A);
template <class A>
bool all(A);
bool simd_any(bool);
bool simd_all(bool);
bool simd_is_first();
template <class A>
auto dot(A a, A b) -> decltype(a[0] * b[0]);
template <class A>
auto length(A a) -> decltype(a[0] * a[0]);

template <class T, int C, int R>
struct simdgroup_matrix {
  simdgroup_matrix() = default;
  explicit simdgroup_matrix(T);
  vec<T, 2>& thread_elements();
};
using simdgroup_float8x8 = simdgroup_matrix<float, 8, 8>;
using simdgroup_half8x8 = simdgroup_matrix<half, 8, 8>;
using simdgroup_bfloat8x8 = simdgroup_matrix<bfloat, 8, 8>;
template <class T, int C, int R>
simdgroup_matrix<T, C, R> make_filled_simdgroup_matrix(T);
template <class... A>
void simdgroup_load(A&&...);
template <class... A>
void simdgroup_store(A&&...);
template <class... A>
void simdgroup_multiply(A&&...);
template <class... A>
void simdgroup_multiply_accumulate(A&&...);

// Atomics are in device or in threadgroup memory.
#define EVOKE_ATOMIC(name)                               \
  template <class T, class... A>                         \
  T name(const volatile device atomic<T>* object, A...); \
  template <class T, class... A>                         \
  T name(const volatile threadgroup atomic<T>* object, A...);
EVOKE_ATOMIC(atomic_load_explicit)
EVOKE_ATOMIC(atomic_store_explicit)
EVOKE_ATOMIC(atomic_exchange_explicit)
EVOKE_ATOMIC(atomic_compare_exchange_weak_explicit)
EVOKE_ATOMIC(atomic_fetch_add_explicit)
EVOKE_ATOMIC(atomic_fetch_sub_explicit)
EVOKE_ATOMIC(atomic_fetch_max_explicit)
EVOKE_ATOMIC(atomic_fetch_min_explicit)
EVOKE_ATOMIC(atomic_fetch_and_explicit)
EVOKE_ATOMIC(atomic_fetch_or_explicit)
EVOKE_ATOMIC(atomic_fetch_xor_explicit)
#undef EVOKE_ATOMIC

}  // namespace metal

using namespace metal;

template <class U>
struct Limits {
  static constexpr U max = U();
  static constexpr U min = U();
  static constexpr U finite_max = U();
  static constexpr U finite_min = U();
};
template <class I = int64_t, class... A>
I elem_to_loc(A...);
template <class T, class U>
T ceildiv(T, U);
float log1p(float);

template <class T>
T& evoke_threadgroup(int);

struct evoke_pointer {
  void* evoke_address;
  template <class T>
  operator T*() const;
};
struct evoke_reference {
  void* evoke_address;
  template <class T>
  operator const T&() const;
};
uint3 evoke_uint3(const uint32_t (&)[3]);
uint evoke_groups(const uint32_t (&)[3], uint);
