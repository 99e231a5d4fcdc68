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

template <class T>
EVOKE_METAL_INLINE const EvokeMetalLanes* evoke_meet(const T& value,
                                                     int operation, int line,
                                                     int column) {
  return evoke_metal_exchange(&value, sizeof(T), operation, line, column);
}
template <class T>
EVOKE_METAL_INLINE T evoke_value(const EvokeMetalLanes* lanes, uint lane) {
  T value;
  __builtin_memcpy(&value, lanes->values[lane], sizeof(T));
  return value;
}
// What lane `from` brought; a fault where it brought nothing.
template <class T>
EVOKE_METAL_INLINE T evoke_take(const EvokeMetalLanes* lanes, int from,
                                int line) {
  if (from < 0 || from > 31) {
    evoke_metal_fault(kEvokeMetalLaneRange, from, line);
    return evoke_value<T>(lanes, lanes->lane);
  }
  if (!(lanes->active >> from & 1)) {
    evoke_metal_fault(kEvokeMetalInactiveLane, from, line);
  }
  return evoke_value<T>(lanes, static_cast<uint>(from));
}

#define EVOKE_METAL_SHUFFLE(name, parameter, from)                          \
  template <class T, enable_if_t<evoke_moves<T>, int> = 0>                  \
  EVOKE_METAL_INLINE T name(T value, ushort parameter, EVOKE_METAL_PLACE) { \
    const EvokeMetalLanes* lanes =                                          \
        evoke_meet(value, kEvokeMetalShuffle, evoke_line, evoke_column);    \
    const int lane = static_cast<int>(lanes->lane);                         \
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
#undef EVOKE_METAL_SHUFFLE

#define EVOKE_METAL_FILL(name, from, outside)                                  \
  template <class T, enable_if_t<evoke_moves<T>, int> = 0>                     \
  EVOKE_METAL_INLINE T name(T value, T filling, ushort delta, ushort modulo,   \
                            EVOKE_METAL_PLACE) {                               \
    const EvokeMetalLanes* lanes =                                             \
        evoke_meet(value, kEvokeMetalShuffle, evoke_line, evoke_column);       \
    const EvokeMetalLanes* fillings =                                          \
        evoke_meet(filling, kEvokeMetalShuffle, evoke_line, evoke_column + 1); \
    const int lane = static_cast<int>(fillings->lane);                         \
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

// Over the lanes that are active; neutral elements for the others.
#define EVOKE_METAL_REDUCTION(name, initial, combine)                      \
  template <class T,                                                       \
            enable_if_t<evoke_moves<T> && evoke_length<T> == 0, int> = 0>  \
  EVOKE_METAL_INLINE T name(T value, EVOKE_METAL_PLACE) {                  \
    const EvokeMetalLanes* lanes =                                         \
        evoke_meet(value, kEvokeMetalReduction, evoke_line, evoke_column); \
    bool first = true;                                                     \
    T a{};                                                                 \
    for (uint i = 0; i < 32; ++i) {                                        \
      if (!(lanes->active >> i & 1)) continue;                             \
      const T b = evoke_value<T>(lanes, i);                                \
      a = first ? b : static_cast<T>(combine);                             \
      first = false;                                                       \
    }                                                                      \
    return a;                                                              \
  }
EVOKE_METAL_REDUCTION(simd_sum, 0, a + b)
EVOKE_METAL_REDUCTION(simd_product, 1, a* b)
EVOKE_METAL_REDUCTION(simd_max, a, max(a, b))
EVOKE_METAL_REDUCTION(simd_min, a, min(a, b))
#undef EVOKE_METAL_REDUCTION
#define EVOKE_METAL_BITS(name, op)                                         \
  template <class T,                                                       \
            enable_if_t<evoke_moves<T> && evoke_is_integer<T>, int> = 0>   \
  EVOKE_METAL_INLINE T name(T value, EVOKE_METAL_PLACE) {                  \
    const EvokeMetalLanes* lanes =                                         \
        evoke_meet(value, kEvokeMetalReduction, evoke_line, evoke_column); \
    bool first = true;                                                     \
    T a{};                                                                 \
    for (uint i = 0; i < 32; ++i) {                                        \
      if (!(lanes->active >> i & 1)) continue;                             \
      const T b = evoke_value<T>(lanes, i);                                \
      a = first ? b : static_cast<T>(a op b);                              \
      first = false;                                                       \
    }                                                                      \
    return a;                                                              \
  }
EVOKE_METAL_BITS(simd_and, &)
EVOKE_METAL_BITS(simd_or, |)
EVOKE_METAL_BITS(simd_xor, ^)
#undef EVOKE_METAL_BITS

#define EVOKE_METAL_PREFIX(name, neutral, op, last)                        \
  template <class T,                                                       \
            enable_if_t<evoke_moves<T> && evoke_length<T> == 0, int> = 0>  \
  EVOKE_METAL_INLINE T name(T value, EVOKE_METAL_PLACE) {                  \
    const EvokeMetalLanes* lanes =                                         \
        evoke_meet(value, kEvokeMetalReduction, evoke_line, evoke_column); \
    T a = static_cast<T>(neutral);                                         \
    for (uint i = 0; i < lanes->lane + last; ++i) {                        \
      if (lanes->active >> i & 1) {                                        \
        a = static_cast<T>(a op evoke_value<T>(lanes, i));                 \
      }                                                                    \
    }                                                                      \
    return a;                                                              \
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
EVOKE_METAL_INLINE uint evoke_ballot(bool value, const EvokeMetalLanes* lanes) {
  uint votes = 0;
  for (uint i = 0; i < 32; ++i) {
    if ((lanes->active >> i & 1) && lanes->values[i][0]) votes |= 1u << i;
  }
  (void)value;
  return votes;
}
EVOKE_METAL_INLINE simd_vote simd_ballot(bool value, EVOKE_METAL_PLACE) {
  return simd_vote(evoke_ballot(value, evoke_meet(value, kEvokeMetalReduction,
                                                  evoke_line, evoke_column)));
}
EVOKE_METAL_INLINE bool simd_any(bool value, EVOKE_METAL_PLACE) {
  return evoke_ballot(value, evoke_meet(value, kEvokeMetalReduction, evoke_line,
                                        evoke_column)) != 0;
}
EVOKE_METAL_INLINE bool simd_all(bool value, EVOKE_METAL_PLACE) {
  const EvokeMetalLanes* lanes =
      evoke_meet(value, kEvokeMetalReduction, evoke_line, evoke_column);
  return evoke_ballot(value, lanes) == lanes->active;
}
EVOKE_METAL_INLINE bool simd_is_first(EVOKE_METAL_PLACE) {
  const EvokeMetalLanes* lanes =
      evoke_meet(true, kEvokeMetalReduction, evoke_line, evoke_column);
  return static_cast<uint>(__builtin_ctz(lanes->active)) == lanes->lane;
}
template <class T, enable_if_t<evoke_moves<T>, int> = 0>
EVOKE_METAL_INLINE T simd_broadcast_first(T value, EVOKE_METAL_PLACE) {
  const EvokeMetalLanes* lanes =
      evoke_meet(value, kEvokeMetalReduction, evoke_line, evoke_column);
  return evoke_value<T>(lanes, static_cast<uint>(__builtin_ctz(lanes->active)));
}

EVOKE_METAL_INLINE void threadgroup_barrier(mem_flags flags,
                                            EVOKE_METAL_PLACE) {
  evoke_metal_barrier(kEvokeMetalThreadgroupBarrier,
                      static_cast<uint32_t>(flags), evoke_line, evoke_column);
}
EVOKE_METAL_INLINE void simdgroup_barrier(mem_flags flags, EVOKE_METAL_PLACE) {
  evoke_metal_barrier(kEvokeMetalSimdgroupBarrier, static_cast<uint32_t>(flags),
                      evoke_line, evoke_column);
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
    place_of(static_cast<int>(evoke_metal_thread()->thread_index_in_simdgroup),
             row, column);
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
#define EVOKE_METAL_ALL_LANES                                                 \
  {                                                                           \
    const EvokeMetalLanes* all =                                              \
        evoke_meet(0, kEvokeMetalMatrix, evoke_line, evoke_column);           \
    if (all->active != 0xffffffffu) {                                         \
      evoke_metal_fault(kEvokeMetalInactiveLane, __builtin_ctz(~all->active), \
                        evoke_line);                                          \
    }                                                                         \
  }
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

// d = a * b + c, accumulated in float.
template <class D, class A, class B, class C>
EVOKE_METAL_INLINE void simdgroup_multiply_accumulate(
    simdgroup_matrix<D, 8, 8>& d, simdgroup_matrix<A, 8, 8> a,
    simdgroup_matrix<B, 8, 8> b, simdgroup_matrix<C, 8, 8> c,
    EVOKE_METAL_PLACE) {
  const float mine[4] = {static_cast<float>(a.evoke_elements[0]),
                         static_cast<float>(a.evoke_elements[1]),
                         static_cast<float>(b.evoke_elements[0]),
                         static_cast<float>(b.evoke_elements[1])};
  const EvokeMetalLanes* lanes =
      evoke_meet(mine, kEvokeMetalMatrix, evoke_line, evoke_column);
  if (lanes->active != 0xffffffffu) {
    evoke_metal_fault(kEvokeMetalInactiveLane, __builtin_ctz(~lanes->active),
                      evoke_line);
  }
  const auto* const all = reinterpret_cast<const float(*)[4]>(lanes->values);
  int row = 0;
  int column = 0;
  d.place_of(static_cast<int>(lanes->lane), row, column);
  float sums[2] = {static_cast<float>(c.evoke_elements[0]),
                   static_cast<float>(c.evoke_elements[1])};
  for (int k = 0; k < 8; ++k) {
    // The lane that holds (r, k): the inverse of place_of.
    const int a_lane =
        ((row & 4) + (k / 4) * 2) * 4 + (row & 3) * 2 + (k % 4) / 2;
    const int b_lane =
        ((k & 4) + (column / 4) * 2) * 4 + (k & 3) * 2 + (column % 4) / 2;
    const float left = all[a_lane][k % 2];
    sums[0] += left * all[b_lane][2];
    sums[1] += left * all[b_lane][3];
  }
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
