// Atomic functions (6.15): relaxed, as Metal's all are before version 3.2's
// fences, on int, uint and float, and on ulong for min and max.
#pragma once

#include "evoke/devices/metal/host/shim/simd.h"

#if defined(EVOKE_METAL_CHECKED)
#define EVOKE_METAL_ATOMIC_ACCESS(object)                             \
  evoke_metal_atomic(                                                 \
      const_cast<const void*>(                                        \
          static_cast<const volatile void*>(&(object)->evoke_value)), \
      sizeof((object)->evoke_value))
#define EVOKE_METAL_ATOMIC_FUNCTION \
  inline __attribute__((noinline, no_sanitize("kernel-address")))
#else
#define EVOKE_METAL_ATOMIC_ACCESS(object)
#define EVOKE_METAL_ATOMIC_FUNCTION EVOKE_METAL_INLINE
#endif

namespace metal {

enum memory_order {
  memory_order_relaxed,
  memory_order_acquire,
  memory_order_release,
  memory_order_acq_rel,
  memory_order_seq_cst
};
enum thread_scope {
  thread_scope_thread,
  thread_scope_simdgroup,
  thread_scope_threadgroup,
  thread_scope_device
};

template <class T>
struct evoke_atomic {
  static_assert(__is_same(T, int) || __is_same(T, uint) ||
                    __is_same(T, float) || __is_same(T, ulong) ||
                    __is_same(T, bool),
                "atomic exists for int, uint, float, bool and ulong");
  evoke_atomic() = default;
  evoke_atomic(const evoke_atomic&) = delete;
  evoke_atomic& operator=(const evoke_atomic&) = delete;
  T evoke_value;
};
template <class T>
using atomic = evoke_atomic<T>;
using atomic_int = evoke_atomic<int>;
using atomic_uint = evoke_atomic<uint>;
using atomic_float = evoke_atomic<float>;
using atomic_bool = evoke_atomic<bool>;
using atomic_ulong = evoke_atomic<ulong>;

template <class T>
struct evoke_plain {
  using type = T;
};
template <class T>
using evoke_plain_t = typename evoke_plain<T>::type;

// Only relaxed orders exist before fences.
#define EVOKE_METAL_ORDER(order) \
  static_assert(true, "");       \
  (void)order

template <class T>
EVOKE_METAL_ATOMIC_FUNCTION T
atomic_load_explicit(const volatile evoke_atomic<T>* object, memory_order) {
  EVOKE_METAL_ATOMIC_ACCESS(object);
  T value;
  __atomic_load(const_cast<T*>(&object->evoke_value), &value, __ATOMIC_RELAXED);
  return value;
}
template <class T>
EVOKE_METAL_ATOMIC_FUNCTION void atomic_store_explicit(
    volatile evoke_atomic<T>* object, evoke_plain_t<T> value, memory_order) {
  EVOKE_METAL_ATOMIC_ACCESS(object);
  __atomic_store(const_cast<T*>(&object->evoke_value), &value,
                 __ATOMIC_RELAXED);
}
template <class T>
EVOKE_METAL_ATOMIC_FUNCTION T atomic_exchange_explicit(
    volatile evoke_atomic<T>* object, evoke_plain_t<T> value, memory_order) {
  EVOKE_METAL_ATOMIC_ACCESS(object);
  T old;
  __atomic_exchange(const_cast<T*>(&object->evoke_value), &value, &old,
                    __ATOMIC_RELAXED);
  return old;
}
template <class T>
EVOKE_METAL_ATOMIC_FUNCTION bool atomic_compare_exchange_weak_explicit(
    volatile evoke_atomic<T>* object, T* expected, evoke_plain_t<T> desired,
    memory_order, memory_order) {
  EVOKE_METAL_ATOMIC_ACCESS(object);
  return __atomic_compare_exchange(const_cast<T*>(&object->evoke_value),
                                   expected, &desired, false, __ATOMIC_RELAXED,
                                   __ATOMIC_RELAXED);
}
#define EVOKE_METAL_FETCH(name, condition, combine)                           \
  template <class T, enable_if_t<condition, int> = 0>                         \
  EVOKE_METAL_ATOMIC_FUNCTION T atomic_fetch_##name##_explicit(               \
      volatile evoke_atomic<T>* object, evoke_plain_t<T> b, memory_order) {   \
    EVOKE_METAL_ATOMIC_ACCESS(object);                                        \
    T* const place = const_cast<T*>(&object->evoke_value);                    \
    T a;                                                                      \
    __atomic_load(place, &a, __ATOMIC_RELAXED);                               \
    for (;;) {                                                                \
      T next = static_cast<T>(combine);                                       \
      if (__atomic_compare_exchange(place, &a, &next, true, __ATOMIC_RELAXED, \
                                    __ATOMIC_RELAXED)) {                      \
        return a;                                                             \
      }                                                                       \
    }                                                                         \
  }
EVOKE_METAL_FETCH(add, sizeof(T) == 4, a + b)
EVOKE_METAL_FETCH(sub, sizeof(T) == 4, a - b)
EVOKE_METAL_FETCH(max, evoke_is_integer<T>, a < b ? b : a)
EVOKE_METAL_FETCH(min, evoke_is_integer<T>, b < a ? b : a)
EVOKE_METAL_FETCH(and, evoke_is_integer<T>, a& b)
EVOKE_METAL_FETCH(or, evoke_is_integer<T>, a | b)
EVOKE_METAL_FETCH(xor, evoke_is_integer<T>, a ^ b)
#undef EVOKE_METAL_FETCH

EVOKE_METAL_INLINE void atomic_thread_fence(mem_flags, memory_order) {}
EVOKE_METAL_INLINE void atomic_thread_fence(mem_flags, memory_order,
                                            thread_scope) {}

}  // namespace metal
