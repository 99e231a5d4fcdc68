// Simdgroup functions (6.9.2), barriers (6.9.1) and simdgroup matrices (6.7).
// Each knows its caller's place: the lanes of a simdgroup meet there.
#pragma once

#include "evoke/devices/metal/host/shim/math.h"

#define EVOKE_METAL_PLACE \
  int evoke_line = __builtin_LINE(), int evoke_column = __builtin_COLUMN()

namespace metal {

enum class mem_flags : uint32_t {
  mem_none = 0,
  mem_device = 1,
  mem_threadgroup = 2,
  mem_texture = 4,
  mem_threadgroup_imageblock = 8,
  mem_object_data = 16,
  mem_device_and_threadgroup = 3
};
constexpr mem_flags operator|(mem_flags a, mem_flags b) {
  return static_cast<mem_flags>(static_cast<uint32_t>(a) |
                                static_cast<uint32_t>(b));
}

// What the hardware moves between lanes: 8, 16 and 32 bits and vectors of
// them. bfloat comes by way of MLX's overloads.
template <class T>
inline constexpr bool evoke_moves =
    (evoke_is_integer<evoke_element<T>> || __is_same(evoke_element<T>, float) ||
     evoke_is_half<evoke_element<T>>) &&
    sizeof(evoke_element<T>) <= 4 &&
    evoke_components<T> * sizeof(evoke_element<T>) <= 16;

// What the executor owns is read outside of what is watched.
#if defined(EVOKE_METAL_CHECKED)
#define EVOKE_METAL_UNWATCHED \
  inline __attribute__((noinline, nodebug, no_sanitize("kernel-address")))
#else
#define EVOKE_METAL_UNWATCHED EVOKE_METAL_INLINE
#endif

// A value on its way between lanes, in a register.
typedef uint64_t evoke_word2 __attribute__((vector_size(16)));
template <class T>
EVOKE_METAL_INLINE evoke_word2 evoke_pack(const T& value) {
  static_assert(sizeof(T) <= sizeof(evoke_word2), "16 bytes at most");
  evoke_word2 words = {0, 0};
  __builtin_memcpy(&words, &value, sizeof(T));
  return words;
}
template <class T>
EVOKE_METAL_INLINE T evoke_unpack(evoke_word2 words) {
  T value;
  __builtin_memcpy(&value, &words, sizeof(T));
  return value;
}

template <class T>
EVOKE_METAL_INLINE EvokeMetalLanes* evoke_meet(const T& value,
                                               EvokeMetalOperation operation,
                                               int line, int column) {
  const evoke_word2 words = evoke_pack(value);
  return evoke_metal_exchange(words[0], words[1], 0,
                              evoke_metal_place(operation, line, column));
}
EVOKE_METAL_UNWATCHED evoke_word2 evoke_words(const EvokeMetalLanes* lanes,
                                              uint lane) {
  return evoke_word2{lanes->values[lane][0], lanes->values[lane][1]};
}
template <class T>
EVOKE_METAL_INLINE T evoke_value(const EvokeMetalLanes* lanes, uint lane) {
  return evoke_unpack<T>(evoke_words(lanes, lane));
}
EVOKE_METAL_UNWATCHED uint evoke_active(const EvokeMetalLanes* lanes) {
  return lanes->active;
}
EVOKE_METAL_UNWATCHED int evoke_lane(const EvokeMetalLanes* lanes) {
  return static_cast<int>(lanes->lane);
}
EVOKE_METAL_UNWATCHED int evoke_own_lane() {
  return static_cast<int>(evoke_metal_thread()->thread_index_in_simdgroup);
}
// What lane `from` brought; a fault where it brought nothing.
template <class T>
EVOKE_METAL_INLINE T evoke_take(const EvokeMetalLanes* lanes, int from,
                                int line) {
  if (from < 0 || from > 31) {
    evoke_metal_fault(kEvokeMetalLaneRange, from, line);
    return evoke_value<T>(lanes, 0);
  }
  if (!(evoke_active(lanes) >> from & 1)) {
    evoke_metal_fault(kEvokeMetalInactiveLane, from, line);
  }
  return evoke_value<T>(lanes, static_cast<uint>(from));
}

#define EVOKE_METAL_SHUFFLE(name, parameter, from)                          \
  template <class T, enable_if_t<evoke_moves<T>, int> = 0>                  \
  EVOKE_METAL_INLINE T name(T value, ushort parameter, EVOKE_METAL_PLACE) { \
    const EvokeMetalLanes* lanes =                                          \
        evoke_meet(value, kEvokeMetalShuffle, evoke_line, evoke_column);    \
    const int lane = evoke_lane(lanes);                                         \
    return evoke_take<T>(lanes, from, evoke_line);                          \
  }
EVOKE_METAL_SHUFFLE(simd_broadcast, id, id + lane * 0)
EVOKE_METAL_SHUFFLE(simd_shuffle, id, id + lane * 0)
EVOKE_METAL_SHUFFLE(simd_shuffle_xor, mask, lane ^ mask)
EVOKE_METAL_SHUFFLE(simd_shuffle_rotate_down, delta, (lane + delta) & 31)
EVOKE_METAL_SHUFFLE(simd_shuffle_rotate_up, delta, (lane - delta) & 31)
// Lanes beyond the edge keep their own value.
EVOKE_METAL_SHUFFLE(simd_shuffle_down, delta,
                    lane + delta > 31 && delta < 32 ? lane : lane + delta)
EVOKE_METAL_SHUFFLE(simd_shuffle_up, delta,
                    lane < delta && delta < 32 ? lane : lane - delta)
// Within quadgroups of four lanes.
EVOKE_METAL_SHUFFLE(quad_broadcast, id, (lane & ~3) + id)
EVOKE_METAL_SHUFFLE(quad_shuffle, id, (lane & ~3) + id)
EVOKE_METAL_SHUFFLE(quad_shuffle_xor, mask, (lane & ~3) + ((lane ^ mask) & 3))
EVOKE_METAL_SHUFFLE(quad_shuffle_rotate_down, delta,
                    (lane & ~3) + ((lane + delta) & 3))
EVOKE_METAL_SHUFFLE(quad_shuffle_rotate_up, delta,
                    (lane & ~3) + ((lane - delta) & 3))
// Lanes beyond the edge keep their own value.
EVOKE_METAL_SHUFFLE(quad_shuffle_down, delta,
                    (lane & 3) + delta > 3 && delta < 4 ? lane : lane + delta)
EVOKE_METAL_SHUFFLE(quad_shuffle_up, delta,
                    (lane & 3) < delta && delta < 4 ? lane : lane - delta)
#undef EVOKE_METAL_SHUFFLE

#define EVOKE_METAL_FILL(name, from, outside)                                  \
  template <class T, enable_if_t<evoke_moves<T>, int> = 0>                     \
  EVOKE_METAL_INLINE T name(T value, T filling, ushort delta, ushort modulo,   \
                            EVOKE_METAL_PLACE) {                               \
    const EvokeMetalLanes* lanes =                                             \
        evoke_meet(value, kEvokeMetalShuffle, evoke_line, evoke_column);       \
    const EvokeMetalLanes* fillings =                                          \
        evoke_meet(filling, kEvokeMetalShuffle, evoke_line, evoke_column + 1); \
    const int lane = evoke_lane(fillings);                                     \
    const int width = modulo;                                                  \
    const int at = lane % width;                                               \
    const int base = lane - at;                                                \
    return outside ? evoke_take<T>(fillings, base + (from + width) % width,    \
                                   evoke_line)                                 \
                   : evoke_take<T>(lanes, base + from, evoke_line);            \
  }                                                                            \
  template <class T, enable_if_t<evoke_moves<T>, int> = 0>                     \
  EVOKE_METAL_INLINE T name(T value, T filling, ushort delta,                  \
                            EVOKE_METAL_PLACE) {                               \
    return name(value, filling, delta, ushort{32}, evoke_line, evoke_column);  \
  }
EVOKE_METAL_FILL(simd_shuffle_and_fill_down, at + delta, at + delta >= width)
EVOKE_METAL_FILL(simd_shuffle_and_fill_up, at - delta, at < delta)
#undef EVOKE_METAL_FILL

// Over the lanes that are active, in their order. The lane that comes first
// does it for all.
template <class T, class Combine>
EVOKE_METAL_UNWATCHED evoke_word2 evoke_reduce(EvokeMetalLanes* lanes,
                                               Combine combine) {
  if (lanes->shared_ready == 0) {
    uint rest = lanes->active;
    T a = evoke_unpack<T>(
        evoke_words(lanes, static_cast<uint>(__builtin_ctz(rest))));
    for (rest &= rest - 1; rest != 0; rest &= rest - 1) {
      a = combine(a, evoke_unpack<T>(evoke_words(
                         lanes, static_cast<uint>(__builtin_ctz(rest)))));
    }
    __builtin_memcpy(lanes->shared, &a, sizeof(T));
    lanes->shared_ready = 1;
  }
  evoke_word2 words;
  __builtin_memcpy(&words, lanes->shared, sizeof(words));
  return words;
}
#define EVOKE_METAL_REDUCTION(name, reduce, condition, combine)             \
  template <class T, enable_if_t<evoke_moves<T> && condition, int> = 0>     \
  EVOKE_METAL_INLINE T name(T value, EVOKE_METAL_PLACE) {                   \
    return evoke_unpack<T>(reduce<T>(                                       \
        evoke_meet(value, kEvokeMetalReduction, evoke_line, evoke_column),  \
        [](T a, T b) __attribute__((always_inline)) {                       \
          return static_cast<T>(combine);                                   \
        }));                                                                \
  }
EVOKE_METAL_REDUCTION(simd_sum, evoke_reduce, evoke_length<T> == 0, a + b)
EVOKE_METAL_REDUCTION(simd_product, evoke_reduce, evoke_length<T> == 0, a* b)
EVOKE_METAL_REDUCTION(simd_max, evoke_reduce, evoke_length<T> == 0, max(a, b))
EVOKE_METAL_REDUCTION(simd_min, evoke_reduce, evoke_length<T> == 0, min(a, b))
EVOKE_METAL_REDUCTION(simd_and, evoke_reduce, evoke_is_integer<T>, a& b)
EVOKE_METAL_REDUCTION(simd_or, evoke_reduce, evoke_is_integer<T>, a | b)
EVOKE_METAL_REDUCTION(simd_xor, evoke_reduce, evoke_is_integer<T>, a ^ b)

// The same over the active lanes of the caller's quadgroup.
template <class T, class Combine>
EVOKE_METAL_UNWATCHED evoke_word2 evoke_reduce_quad(
    const EvokeMetalLanes* lanes, Combine combine) {
  uint rest = lanes->active & (0xfu << (lanes->lane & ~3u));
  T a = evoke_unpack<T>(
      evoke_words(lanes, static_cast<uint>(__builtin_ctz(rest))));
  for (rest &= rest - 1; rest != 0; rest &= rest - 1) {
    a = combine(a, evoke_unpack<T>(evoke_words(
                       lanes, static_cast<uint>(__builtin_ctz(rest)))));
  }
  return evoke_pack(a);
}
EVOKE_METAL_REDUCTION(quad_sum, evoke_reduce_quad, evoke_length<T> == 0, a + b)
EVOKE_METAL_REDUCTION(quad_product, evoke_reduce_quad, evoke_length<T> == 0,
                      a* b)
EVOKE_METAL_REDUCTION(quad_max, evoke_reduce_quad, evoke_length<T> == 0,
                      max(a, b))
EVOKE_METAL_REDUCTION(quad_min, evoke_reduce_quad, evoke_length<T> == 0,
                      min(a, b))
EVOKE_METAL_REDUCTION(quad_and, evoke_reduce_quad, evoke_is_integer<T>, a& b)
EVOKE_METAL_REDUCTION(quad_or, evoke_reduce_quad, evoke_is_integer<T>, a | b)
EVOKE_METAL_REDUCTION(quad_xor, evoke_reduce_quad, evoke_is_integer<T>, a ^ b)
#undef EVOKE_METAL_REDUCTION

#define EVOKE_METAL_PREFIX(name, neutral, op, last)                          \
  template <class T>                                                         \
  EVOKE_METAL_UNWATCHED evoke_word2 evoke_##name(                            \
      const EvokeMetalLanes* lanes) {                                        \
    T a = static_cast<T>(neutral);                                           \
    for (uint i = 0; i < lanes->lane + last; ++i) {                          \
      if (lanes->active >> i & 1) {                                          \
        a = static_cast<T>(a op evoke_unpack<T>(evoke_words(lanes, i)));     \
      }                                                                      \
    }                                                                        \
    return evoke_pack(a);                                                    \
  }                                                                          \
  template <class T,                                                         \
            enable_if_t<evoke_moves<T> && evoke_length<T> == 0, int> = 0>    \
  EVOKE_METAL_INLINE T name(T value, EVOKE_METAL_PLACE) {                    \
    return evoke_unpack<T>(evoke_##name<T>(                                  \
        evoke_meet(value, kEvokeMetalReduction, evoke_line, evoke_column))); \
  }
EVOKE_METAL_PREFIX(simd_prefix_exclusive_sum, 0, +, 0)
EVOKE_METAL_PREFIX(simd_prefix_inclusive_sum, 0, +, 1)
EVOKE_METAL_PREFIX(simd_prefix_exclusive_product, 1, *, 0)
EVOKE_METAL_PREFIX(simd_prefix_inclusive_product, 1, *, 1)
#undef EVOKE_METAL_PREFIX

struct simd_vote {
  using vote_t = ulong;
  ulong evoke_votes;
  explicit constexpr simd_vote(vote_t votes = 0) : evoke_votes(votes) {}
  explicit constexpr operator vote_t() const { return evoke_votes; }
  bool all() const { return evoke_votes == 0xffffffffu; }
  bool any() const { return evoke_votes != 0; }
};
EVOKE_METAL_UNWATCHED uint evoke_ballot(const EvokeMetalLanes* lanes) {
  uint votes = 0;
  for (uint i = 0; i < 32; ++i) {
    if ((lanes->active >> i & 1) && (lanes->values[i][0] & 1)) votes |= 1u << i;
  }
  return votes;
}
EVOKE_METAL_INLINE simd_vote simd_ballot(bool value, EVOKE_METAL_PLACE) {
  return simd_vote(evoke_ballot(
      evoke_meet(value, kEvokeMetalReduction, evoke_line, evoke_column)));
}
EVOKE_METAL_INLINE bool simd_any(bool value, EVOKE_METAL_PLACE) {
  return evoke_ballot(evoke_meet(value, kEvokeMetalReduction, evoke_line,
                                 evoke_column)) != 0;
}
EVOKE_METAL_INLINE bool simd_all(bool value, EVOKE_METAL_PLACE) {
  const EvokeMetalLanes* lanes =
      evoke_meet(value, kEvokeMetalReduction, evoke_line, evoke_column);
  return evoke_ballot(lanes) == evoke_active(lanes);
}
EVOKE_METAL_INLINE bool simd_is_first(EVOKE_METAL_PLACE) {
  const EvokeMetalLanes* lanes =
      evoke_meet(true, kEvokeMetalReduction, evoke_line, evoke_column);
  return __builtin_ctz(evoke_active(lanes)) == evoke_lane(lanes);
}
template <class T, enable_if_t<evoke_moves<T>, int> = 0>
EVOKE_METAL_INLINE T simd_broadcast_first(T value, EVOKE_METAL_PLACE) {
  const EvokeMetalLanes* lanes =
      evoke_meet(value, kEvokeMetalReduction, evoke_line, evoke_column);
  return evoke_value<T>(lanes,
                        static_cast<uint>(__builtin_ctz(evoke_active(lanes))));
}

EVOKE_METAL_INLINE void threadgroup_barrier(mem_flags flags,
                                            EVOKE_METAL_PLACE) {
  evoke_metal_barrier(static_cast<uint32_t>(flags),
                      evoke_metal_place(kEvokeMetalThreadgroupBarrier,
                                        evoke_line, evoke_column));
}
EVOKE_METAL_INLINE void simdgroup_barrier(mem_flags flags, EVOKE_METAL_PLACE) {
  evoke_metal_barrier(static_cast<uint32_t>(flags),
                      evoke_metal_place(kEvokeMetalSimdgroupBarrier, evoke_line,
                                        evoke_column));
}

// An 8x8 matrix, two elements in each lane. Which ones is not specified; this
// is where today's GPUs have them, as MLX's own kernels assume.
template <class T, int Columns, int Rows>
struct simdgroup_matrix {
  static_assert(Columns == 8 && Rows == 8,
                "simdgroup_matrix exists as 8x8 only");
  static_assert(__is_same(T, float) || __is_same(T, half) ||
                    __is_same(T, bfloat),
                "simdgroup_matrix holds float, half or bfloat");
  vec<T, 2> evoke_elements;

  simdgroup_matrix() = default;
  EVOKE_METAL_INLINE explicit simdgroup_matrix(T diagonal) {
    int row = 0;
    int column = 0;
    place(row, column);
    evoke_elements[0] = row == column ? diagonal : static_cast<T>(0.0f);
    evoke_elements[1] = row == column + 1 ? diagonal : static_cast<T>(0.0f);
  }
  EVOKE_METAL_INLINE vec<T, 2>& thread_elements() { return evoke_elements; }
  EVOKE_METAL_INLINE const vec<T, 2>& thread_elements() const {
    return evoke_elements;
  }
  static EVOKE_METAL_INLINE void place_of(int lane, int& row, int& column) {
    const int quarter = lane / 4;
    row = (quarter & 4) + (lane / 2) % 4;
    column = (quarter & 2) * 2 + (lane % 2) * 2;
  }
  static EVOKE_METAL_INLINE void place(int& row, int& column) {
    place_of(evoke_own_lane(), row, column);
  }
};
using simdgroup_float8x8 = simdgroup_matrix<float, 8, 8>;
using simdgroup_half8x8 = simdgroup_matrix<half, 8, 8>;
using simdgroup_bfloat8x8 = simdgroup_matrix<bfloat, 8, 8>;

template <class T, int C, int R>
EVOKE_METAL_INLINE simdgroup_matrix<T, C, R> make_filled_simdgroup_matrix(
    T value) {
  simdgroup_matrix<T, C, R> result;
  result.evoke_elements[0] = value;
  result.evoke_elements[1] = value;
  return result;
}

// All lanes take part, as in every matrix function.
EVOKE_METAL_INLINE void evoke_all_of(const EvokeMetalLanes* lanes, int line) {
  const uint active = evoke_active(lanes);
  if (active != 0xffffffffu) {
    evoke_metal_fault(kEvokeMetalInactiveLane, __builtin_ctz(~active), line);
  }
}
// Loads and stores need no other lane, so they meet where that is watched.
#if defined(EVOKE_METAL_CHECKED)
#define EVOKE_METAL_ALL_LANES                                             \
  evoke_all_of(evoke_meet(0, kEvokeMetalMatrix, evoke_line, evoke_column), \
               evoke_line);
#else
#define EVOKE_METAL_ALL_LANES \
  (void)evoke_line;           \
  (void)evoke_column;
#endif
template <class T>
EVOKE_METAL_INLINE void simdgroup_load(
    simdgroup_matrix<T, 8, 8>& to, const T* from, ulong elements_per_row = 8,
    ulong2 origin = ulong2(0, 0), bool transpose = false, EVOKE_METAL_PLACE) {
  EVOKE_METAL_ALL_LANES
  int row = 0;
  int column = 0;
  to.place(row, column);
  for (int i = 0; i < 2; ++i) {
    const ulong r = static_cast<ulong>(transpose ? column + i : row) + origin.y;
    const ulong c = static_cast<ulong>(transpose ? row : column + i) + origin.x;
    to.evoke_elements[i] = from[r * elements_per_row + c];
  }
}
template <class T>
EVOKE_METAL_INLINE void simdgroup_store(simdgroup_matrix<T, 8, 8> from, T* to,
                                        ulong elements_per_row = 8,
                                        ulong2 origin = ulong2(0, 0),
                                        bool transpose = false,
                                        EVOKE_METAL_PLACE) {
  EVOKE_METAL_ALL_LANES
  int row = 0;
  int column = 0;
  from.place(row, column);
  for (int i = 0; i < 2; ++i) {
    const ulong r = static_cast<ulong>(transpose ? column + i : row) + origin.y;
    const ulong c = static_cast<ulong>(transpose ? row : column + i) + origin.x;
    to[r * elements_per_row + c] = from.evoke_elements[i];
  }
}
#undef EVOKE_METAL_ALL_LANES

// d = a * b + c, accumulated in float, for all lanes at once: each brings its
// two elements of a, b and c as one word each.
EVOKE_METAL_UNWATCHED uint64_t evoke_product(EvokeMetalLanes* lanes) {
  if (lanes->shared_ready == 0) {
    __attribute__((uninitialized)) float a[8][8];
    __attribute__((uninitialized)) float b[8][8];
    for (int lane = 0; lane < 32; ++lane) {
      int row = 0;
      int column = 0;
      simdgroup_matrix<float, 8, 8>::place_of(lane, row, column);
      __builtin_memcpy(&a[row][column], &lanes->values[lane][0], 8);
      __builtin_memcpy(&b[row][column], &lanes->values[lane][1], 8);
      __builtin_memcpy(&lanes->shared[row * 8 + column],
                       &lanes->values[lane][2], 8);
    }
    for (int row = 0; row < 8; ++row) {
      float* const sums = lanes->shared + row * 8;
      for (int k = 0; k < 8; ++k) {
        for (int column = 0; column < 8; ++column) {
          sums[column] += a[row][k] * b[k][column];
        }
      }
    }
    lanes->shared_ready = 1;
  }
  int row = 0;
  int column = 0;
  simdgroup_matrix<float, 8, 8>::place_of(static_cast<int>(lanes->lane), row,
                                          column);
  uint64_t both;
  __builtin_memcpy(&both, &lanes->shared[row * 8 + column], 8);
  return both;
}
template <class T>
EVOKE_METAL_INLINE uint64_t
evoke_both(const simdgroup_matrix<T, 8, 8>& matrix) {
  const float both[2] = {static_cast<float>(matrix.evoke_elements[0]),
                         static_cast<float>(matrix.evoke_elements[1])};
  uint64_t word;
  __builtin_memcpy(&word, both, sizeof(word));
  return word;
}
template <class D, class A, class B, class C>
EVOKE_METAL_INLINE void simdgroup_multiply_accumulate(
    simdgroup_matrix<D, 8, 8>& d, simdgroup_matrix<A, 8, 8> a,
    simdgroup_matrix<B, 8, 8> b, simdgroup_matrix<C, 8, 8> c,
    EVOKE_METAL_PLACE) {
  EvokeMetalLanes* lanes = evoke_metal_exchange(
      evoke_both(a), evoke_both(b), evoke_both(c),
      evoke_metal_place(kEvokeMetalMatrix, evoke_line, evoke_column));
  evoke_all_of(lanes, evoke_line);
  const uint64_t word = evoke_product(lanes);
  float sums[2];
  __builtin_memcpy(sums, &word, sizeof(sums));
  d.evoke_elements[0] = static_cast<D>(sums[0]);
  d.evoke_elements[1] = static_cast<D>(sums[1]);
}
template <class D, class A, class B>
EVOKE_METAL_INLINE void simdgroup_multiply(simdgroup_matrix<D, 8, 8>& d,
                                           simdgroup_matrix<A, 8, 8> a,
                                           simdgroup_matrix<B, 8, 8> b,
                                           EVOKE_METAL_PLACE) {
  simdgroup_multiply_accumulate(
      d, a, b, make_filled_simdgroup_matrix<D, 8, 8>(static_cast<D>(0.0f)),
      evoke_line, evoke_column);
}

}  // namespace metal
