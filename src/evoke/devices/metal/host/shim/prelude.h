// What stands before every Metal kernel on the host. Not for this program.
#pragma once

#include "evoke/devices/metal/host/shim/mlx.h"

namespace metal {

// The granule of a variable: what one access touches at least.
template <class T>
struct evoke_granule {
  static constexpr uint32_t value = evoke_is_scalar<T> ? sizeof(T) : 1;
};
template <class T, int N>
struct evoke_granule<vec<T, N>> {
  static constexpr uint32_t value = sizeof(T);
};
template <class T>
struct evoke_granule<evoke_atomic<T>> {
  static constexpr uint32_t value = sizeof(T);
};
template <class T>
struct evoke_scalar_of {
  using type = __remove_cv(T);
};
template <class T, size_t N>
struct evoke_scalar_of<T[N]> : evoke_scalar_of<T> {};

}  // namespace metal

// The memory of `threadgroup T name`, the same for all its threads.
template <class T>
EVOKE_METAL_INLINE T& evoke_threadgroup(const EvokeMetalVariable& variable) {
  return *static_cast<T*>(evoke_metal_threadgroup_memory(&variable));
}
#define EVOKE_METAL_VARIABLE(T, name)                          \
  []() -> const EvokeMetalVariable& {                          \
    static constexpr EvokeMetalVariable variable{              \
        name, __LINE__, sizeof(T), alignof(T),                 \
        metal::evoke_granule<                                  \
            typename metal::evoke_scalar_of<T>::type>::value}; \
    return variable;                                           \
  }()

// What the generated entry points pass to kernels.
struct evoke_pointer {
  void* evoke_address;
  template <class T>
  operator T*() const {
    return static_cast<T*>(evoke_address);
  }
};
struct evoke_reference {
  void* evoke_address;
  template <class T>
  operator const T&() const {
    return *static_cast<const T*>(evoke_address);
  }
};
EVOKE_METAL_INLINE uint3 evoke_uint3(const uint32_t (&value)[3]) {
  return uint3(value[0], value[1], value[2]);
}
EVOKE_METAL_INLINE uint evoke_groups(const uint32_t (&threads)[3], uint width) {
  return (threads[0] * threads[1] * threads[2] + width - 1) / width;
}
