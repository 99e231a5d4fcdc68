// vec<T, 2..4>: Metal's vectors with swizzles. A scalar becomes a vector
// without a cast, a vector of another type does not.
#pragma once

#include "evoke/devices/metal/host/shim/types.h"

namespace metal {

template <class T, int N>
struct vec;

// Components I... of a vector of N: lies over its data.
template <class T, int N, int... I>
struct evoke_swizzle {
  T evoke_data[N == 3 ? 4 : N];

  EVOKE_METAL_INLINE operator vec<T, sizeof...(I)>() const {
    return vec<T, sizeof...(I)>(evoke_data[I]...);
  }
  EVOKE_METAL_INLINE evoke_swizzle& operator=(const evoke_swizzle& other) {
    return *this = static_cast<vec<T, sizeof...(I)>>(other);
  }
  EVOKE_METAL_INLINE evoke_swizzle& operator=(
      const vec<T, sizeof...(I)>& value) {
    int from = 0;
    ((evoke_data[I] = value[from++]), ...);
    return *this;
  }
  template <int M, int... J>
  EVOKE_METAL_INLINE evoke_swizzle& operator=(
      const evoke_swizzle<T, M, J...>& value) {
    return *this = static_cast<vec<T, sizeof...(J)>>(value);
  }
  EVOKE_METAL_INLINE T operator[](int i) const {
    const int index[] = {I...};
    return evoke_data[index[i]];
  }
#define EVOKE_METAL_COMPOUND(op)                                  \
  template <class X>                                              \
  EVOKE_METAL_INLINE evoke_swizzle& operator op##=(X x) {         \
    return *this = static_cast<vec<T, sizeof...(I)>>(*this) op x; \
  }
  EVOKE_METAL_COMPOUND(+)
  EVOKE_METAL_COMPOUND(-)
  EVOKE_METAL_COMPOUND(*)
  EVOKE_METAL_COMPOUND(/)
#undef EVOKE_METAL_COMPOUND
};

// Its element type and length; length 0: not a vector.
template <class X>
struct evoke_vector_of {
  using element = X;
  static constexpr int length = 0;
};
template <class T, int N>
struct evoke_vector_of<vec<T, N>> {
  using element = T;
  static constexpr int length = N;
};
template <class T, int N, int... I>
struct evoke_vector_of<evoke_swizzle<T, N, I...>> {
  using element = T;
  static constexpr int length = sizeof...(I);
};
template <class X>
inline constexpr int evoke_length = evoke_vector_of<X>::length;
template <class X>
inline constexpr int evoke_components =
    evoke_length<X> == 0 ? 1 : evoke_length<X>;
template <class X>
using evoke_element = typename evoke_vector_of<X>::element;

// Whether a component of this type may stand in a constructor of vec<T, N>.
template <class T, class X>
inline constexpr bool evoke_fits =
    evoke_length<X> == 0 ? __is_convertible_to(X, T)
                         : __is_same(evoke_element<X>, T);

template <class T, int N>
struct evoke_vector_base {
  template <class X>
  EVOKE_METAL_INLINE static void put(T* data, int& at, const X& x) {
    if constexpr (evoke_length<X> == 0) {
      data[at++] = x;
    } else {
      for (int i = 0; i < evoke_length<X>; ++i) data[at++] = x[i];
    }
  }
};

#define EVOKE_METAL_VECTOR_BODY(N)                                             \
  vec() = default;                                                             \
  vec(const vec&) = default;                                                   \
  EVOKE_METAL_INLINE vec& operator=(const vec& other) {                        \
    __builtin_memcpy(evoke_data, other.evoke_data, sizeof(evoke_data));        \
    return *this;                                                              \
  }                                                                            \
  template <class S,                                                           \
            enable_if_t<evoke_is_scalar<S>&& __is_convertible_to(S, T), int> = \
                0>                                                             \
  EVOKE_METAL_INLINE vec(S value) {                                            \
    const T converted = value;                                                 \
    for (int i = 0; i < N; ++i) evoke_data[i] = converted;                     \
  }                                                                            \
  template <                                                                   \
      class S,                                                                 \
      enable_if_t<evoke_is_scalar<S> && !__is_convertible_to(S, T), int> = 0>  \
  EVOKE_METAL_INLINE explicit vec(S value) : vec(static_cast<T>(value)) {}     \
  template <class U, enable_if_t<!__is_same(U, T), int> = 0>                   \
  EVOKE_METAL_INLINE explicit vec(const vec<U, N>& other) {                    \
    for (int i = 0; i < N; ++i) evoke_data[i] = static_cast<T>(other[i]);      \
  }                                                                            \
  template <class U, int M, int... I,                                          \
            enable_if_t<sizeof...(I) == N && !__is_same(U, T), int> = 0>       \
  EVOKE_METAL_INLINE explicit vec(const evoke_swizzle<U, M, I...>& other)      \
      : vec(static_cast<vec<U, N>>(other)) {}                                  \
  template <class A, class B, class... More,                                   \
            enable_if_t<evoke_components<A> + evoke_components<B> +            \
                                    (0 + ... + evoke_components<More>) ==      \
                                N &&                                           \
                            evoke_fits<T, A> && evoke_fits<T, B> &&            \
                            (true && ... && evoke_fits<T, More>),              \
                        int> = 0>                                              \
  EVOKE_METAL_INLINE vec(const A& a, const B& b, const More&... more) {        \
    int at = 0;                                                                \
    evoke_vector_base<T, N>::put(evoke_data, at, a);                           \
    evoke_vector_base<T, N>::put(evoke_data, at, b);                           \
    (evoke_vector_base<T, N>::put(evoke_data, at, more), ...);                 \
  }                                                                            \
  EVOKE_METAL_INLINE T& operator[](int i) { return evoke_data[i]; }            \
  EVOKE_METAL_INLINE const T& operator[](int i) const {                        \
    return evoke_data[i];                                                      \
  }                                                                            \
  EVOKE_METAL_INLINE vec operator-() const {                                   \
    vec result;                                                                \
    for (int i = 0; i < N; ++i) result.evoke_data[i] = -evoke_data[i];         \
    return result;                                                             \
  }                                                                            \
  EVOKE_METAL_INLINE vec operator+() const { return *this; }                   \
  EVOKE_METAL_INLINE vec operator~() const {                                   \
    vec result;                                                                \
    for (int i = 0; i < N; ++i) result.evoke_data[i] = ~evoke_data[i];         \
    return result;                                                             \
  }                                                                            \
  EVOKE_METAL_COMPOUND_LIST

#define EVOKE_METAL_COMPOUND(op)                \
  template <class X>                            \
  EVOKE_METAL_INLINE vec& operator op##=(X x) { \
    return *this = *this op x;                  \
  }
#define EVOKE_METAL_COMPOUND_LIST                                              \
  EVOKE_METAL_COMPOUND(+)                                                      \
  EVOKE_METAL_COMPOUND(-)                                                      \
  EVOKE_METAL_COMPOUND(*)                                                      \
  EVOKE_METAL_COMPOUND(/) EVOKE_METAL_COMPOUND(%) EVOKE_METAL_COMPOUND(&)      \
      EVOKE_METAL_COMPOUND(|) EVOKE_METAL_COMPOUND(^) EVOKE_METAL_COMPOUND(<<) \
          EVOKE_METAL_COMPOUND(>>)

// Names of two, three and four components over the letters of one alphabet.
#define EVOKE_METAL_SWIZZLE2(N, a, i, b, j) evoke_swizzle<T, N, i, j> a##b;
#define EVOKE_METAL_SWIZZLE3(N, a, i, b, j, c, k) \
  evoke_swizzle<T, N, i, j, k> a##b##c;
#define EVOKE_METAL_SWIZZLE4(N, a, i, b, j, c, k, d, l) \
  evoke_swizzle<T, N, i, j, k, l> a##b##c##d;

#define EVOKE_METAL_PAIRS2(N)         \
  EVOKE_METAL_SWIZZLE2(N, x, 0, x, 0) \
  EVOKE_METAL_SWIZZLE2(N, x, 0, y, 1) \
  EVOKE_METAL_SWIZZLE2(N, y, 1, x, 0) EVOKE_METAL_SWIZZLE2(N, y, 1, y, 1)
#define EVOKE_METAL_PAIRS3(N)         \
  EVOKE_METAL_PAIRS2(N)               \
  EVOKE_METAL_SWIZZLE2(N, x, 0, z, 2) \
  EVOKE_METAL_SWIZZLE2(N, y, 1, z, 2) \
  EVOKE_METAL_SWIZZLE2(N, z, 2, x, 0) \
  EVOKE_METAL_SWIZZLE2(N, z, 2, y, 1) EVOKE_METAL_SWIZZLE2(N, z, 2, z, 2)
#define EVOKE_METAL_PAIRS4(N)                                             \
  EVOKE_METAL_PAIRS3(N)                                                   \
  EVOKE_METAL_SWIZZLE2(N, x, 0, w, 3)                                     \
  EVOKE_METAL_SWIZZLE2(N, y, 1, w, 3)                                     \
  EVOKE_METAL_SWIZZLE2(N, z, 2, w, 3)                                     \
  EVOKE_METAL_SWIZZLE2(N, w, 3, x, 0) EVOKE_METAL_SWIZZLE2(N, w, 3, y, 1) \
      EVOKE_METAL_SWIZZLE2(N, w, 3, z, 2) EVOKE_METAL_SWIZZLE2(N, w, 3, w, 3)

#define EVOKE_METAL_TRIPLES_C3(N, a, i, b, j) \
  EVOKE_METAL_SWIZZLE3(N, a, i, b, j, x, 0)   \
  EVOKE_METAL_SWIZZLE3(N, a, i, b, j, y, 1)   \
  EVOKE_METAL_SWIZZLE3(N, a, i, b, j, z, 2)
#define EVOKE_METAL_TRIPLES_B3(N, a, i) \
  EVOKE_METAL_TRIPLES_C3(N, a, i, x, 0) \
  EVOKE_METAL_TRIPLES_C3(N, a, i, y, 1) \
  EVOKE_METAL_TRIPLES_C3(N, a, i, z, 2)
#define EVOKE_METAL_TRIPLES3(N)   \
  EVOKE_METAL_TRIPLES_B3(N, x, 0) \
  EVOKE_METAL_TRIPLES_B3(N, y, 1) EVOKE_METAL_TRIPLES_B3(N, z, 2)
#define EVOKE_METAL_TRIPLES_C4(N, a, i, b, j) \
  EVOKE_METAL_TRIPLES_C3(N, a, i, b, j)       \
  EVOKE_METAL_SWIZZLE3(N, a, i, b, j, w, 3)
#define EVOKE_METAL_TRIPLES_B4(N, a, i) \
  EVOKE_METAL_TRIPLES_C4(N, a, i, x, 0) \
  EVOKE_METAL_TRIPLES_C4(N, a, i, y, 1) \
  EVOKE_METAL_TRIPLES_C4(N, a, i, z, 2) EVOKE_METAL_TRIPLES_C4(N, a, i, w, 3)
#define EVOKE_METAL_TRIPLES4(N)   \
  EVOKE_METAL_TRIPLES_B4(N, x, 0) \
  EVOKE_METAL_TRIPLES_B4(N, y, 1) \
  EVOKE_METAL_TRIPLES_B4(N, z, 2) EVOKE_METAL_TRIPLES_B4(N, w, 3)
#define EVOKE_METAL_QUADS_D(N, a, i, b, j, c, k)  \
  EVOKE_METAL_SWIZZLE4(N, a, i, b, j, c, k, x, 0) \
  EVOKE_METAL_SWIZZLE4(N, a, i, b, j, c, k, y, 1) \
  EVOKE_METAL_SWIZZLE4(N, a, i, b, j, c, k, z, 2) \
  EVOKE_METAL_SWIZZLE4(N, a, i, b, j, c, k, w, 3)
#define EVOKE_METAL_QUADS_C(N, a, i, b, j) \
  EVOKE_METAL_QUADS_D(N, a, i, b, j, x, 0) \
  EVOKE_METAL_QUADS_D(N, a, i, b, j, y, 1) \
  EVOKE_METAL_QUADS_D(N, a, i, b, j, z, 2) \
  EVOKE_METAL_QUADS_D(N, a, i, b, j, w, 3)
#define EVOKE_METAL_QUADS_B(N, a, i) \
  EVOKE_METAL_QUADS_C(N, a, i, x, 0) \
  EVOKE_METAL_QUADS_C(N, a, i, y, 1) \
  EVOKE_METAL_QUADS_C(N, a, i, z, 2) EVOKE_METAL_QUADS_C(N, a, i, w, 3)
#define EVOKE_METAL_QUADS(N)   \
  EVOKE_METAL_QUADS_B(N, x, 0) \
  EVOKE_METAL_QUADS_B(N, y, 1) \
  EVOKE_METAL_QUADS_B(N, z, 2) EVOKE_METAL_QUADS_B(N, w, 3)

template <class T>
struct alignas(2 * sizeof(T)) vec<T, 2> {
  union {
    T evoke_data[2];
    struct {
      T x, y;
    };
    struct {
      T r, g;
    };
    EVOKE_METAL_PAIRS2(2)
  };
  EVOKE_METAL_VECTOR_BODY(2)
};
template <class T>
struct alignas(4 * sizeof(T)) vec<T, 3> {
  union {
    T evoke_data[4];
    struct {
      T x, y, z;
    };
    struct {
      T r, g, b;
    };
    EVOKE_METAL_PAIRS3(3)
    EVOKE_METAL_TRIPLES3(3)
  };
  EVOKE_METAL_VECTOR_BODY(3)
};
template <class T>
struct alignas(4 * sizeof(T)) vec<T, 4> {
  union {
    T evoke_data[4];
    struct {
      T x, y, z, w;
    };
    struct {
      T r, g, b, a;
    };
    evoke_swizzle<T, 4, 0, 1> rg;
    evoke_swizzle<T, 4, 2, 3> ba;
    evoke_swizzle<T, 4, 0, 1, 2> rgb;
    EVOKE_METAL_PAIRS4(4)
    EVOKE_METAL_TRIPLES4(4)
    EVOKE_METAL_QUADS(4)
  };
  EVOKE_METAL_VECTOR_BODY(4)
};

// Which pairs of operands an operator takes: equal vectors, or a vector and a
// scalar that converts to its elements.
template <class L, class R>
inline constexpr bool evoke_operands() {
  constexpr int l = evoke_length<L>;
  constexpr int r = evoke_length<R>;
  if constexpr (l == 0 && r == 0) {
    return false;
  } else if constexpr (l == 0) {
    return evoke_is_scalar<L>;
  } else if constexpr (r == 0) {
    return evoke_is_scalar<R>;
  } else {
    return l == r && __is_same(evoke_element<L>, evoke_element<R>);
  }
}
template <class L, class R>
using evoke_common =
    vec<conditional_t<evoke_length<L> == 0, evoke_element<R>, evoke_element<L>>,
        evoke_length<L> == 0 ? evoke_length<R> : evoke_length<L>>;
template <class V, class X>
EVOKE_METAL_INLINE auto evoke_component(const X& x, int i) {
  if constexpr (evoke_length<X> == 0) {
    return static_cast<evoke_element<V>>(x);
  } else {
    return x[i];
  }
}

#define EVOKE_METAL_OPERATOR(op)                                            \
  template <class L, class R, enable_if_t<evoke_operands<L, R>(), int> = 0> \
  EVOKE_METAL_INLINE evoke_common<L, R> operator op(const L & l,            \
                                                    const R & r) {          \
    using V = evoke_common<L, R>;                                           \
    V result;                                                               \
    for (int i = 0; i < evoke_length<V>; ++i) {                             \
      result.evoke_data[i] = static_cast<evoke_element<V>>(                 \
          evoke_component<V>(l, i) op evoke_component<V>(r, i));            \
    }                                                                       \
    return result;                                                          \
  }
EVOKE_METAL_OPERATOR(+)
EVOKE_METAL_OPERATOR(-)
EVOKE_METAL_OPERATOR(*)
EVOKE_METAL_OPERATOR(/)
EVOKE_METAL_OPERATOR(%)
EVOKE_METAL_OPERATOR(&)
EVOKE_METAL_OPERATOR(|)
EVOKE_METAL_OPERATOR(^)
EVOKE_METAL_OPERATOR(<<)
EVOKE_METAL_OPERATOR(>>)
#undef EVOKE_METAL_OPERATOR

#define EVOKE_METAL_COMPARISON(op)                                            \
  template <class L, class R, enable_if_t<evoke_operands<L, R>(), int> = 0>   \
  EVOKE_METAL_INLINE vec<bool, evoke_length<evoke_common<L, R>>> operator op( \
      const L & l, const R & r) {                                             \
    using V = evoke_common<L, R>;                                             \
    vec<bool, evoke_length<V>> result;                                        \
    for (int i = 0; i < evoke_length<V>; ++i) {                               \
      result.evoke_data[i] =                                                  \
          evoke_component<V>(l, i) op evoke_component<V>(r, i);               \
    }                                                                         \
    return result;                                                            \
  }
EVOKE_METAL_COMPARISON(==)
EVOKE_METAL_COMPARISON(!=)
EVOKE_METAL_COMPARISON(<)
EVOKE_METAL_COMPARISON(<=)
EVOKE_METAL_COMPARISON(>)
EVOKE_METAL_COMPARISON(>=)
EVOKE_METAL_COMPARISON(&&)
EVOKE_METAL_COMPARISON(||)
#undef EVOKE_METAL_COMPARISON

// Vectors without padding or alignment of their own.
template <class T, int N>
struct evoke_packed {
  T evoke_data[N];
  evoke_packed() = default;
  EVOKE_METAL_INLINE evoke_packed(const vec<T, N>& value) {
    for (int i = 0; i < N; ++i) evoke_data[i] = value[i];
  }
  EVOKE_METAL_INLINE operator vec<T, N>() const {
    vec<T, N> result;
    for (int i = 0; i < N; ++i) result[i] = evoke_data[i];
    return result;
  }
  EVOKE_METAL_INLINE T& operator[](int i) { return evoke_data[i]; }
  EVOKE_METAL_INLINE const T& operator[](int i) const { return evoke_data[i]; }
};

#define EVOKE_METAL_NAMES(name, T)             \
  using name##2 = vec<T, 2>;                   \
  using name##3 = vec<T, 3>;                   \
  using name##4 = vec<T, 4>;                   \
  using packed_##name##2 = evoke_packed<T, 2>; \
  using packed_##name##3 = evoke_packed<T, 3>; \
  using packed_##name##4 = evoke_packed<T, 4>;
EVOKE_METAL_NAMES(bool, bool)
EVOKE_METAL_NAMES(char, char)
EVOKE_METAL_NAMES(uchar, uchar)
EVOKE_METAL_NAMES(short, short)
EVOKE_METAL_NAMES(ushort, ushort)
EVOKE_METAL_NAMES(int, int)
EVOKE_METAL_NAMES(uint, uint)
EVOKE_METAL_NAMES(long, long)
EVOKE_METAL_NAMES(ulong, ulong)
EVOKE_METAL_NAMES(half, half)
EVOKE_METAL_NAMES(float, float)
EVOKE_METAL_NAMES(bfloat, bfloat)
#undef EVOKE_METAL_NAMES

}  // namespace metal
