#include "evoke/attention/vector_ops.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <numbers>

#include "evoke/attention/bf16.h"

// Bodies are inlined into one wrapper per instruction set.
#define EVOKE_INLINE [[gnu::always_inline]] inline

namespace evoke::attention {
namespace {

// GCC and clang lower these to whatever registers the target has.
template <typename T, int kLanes>
using Vector [[gnu::vector_size(sizeof(T) * kLanes)]] = T;

template <typename T, int kLanes>
EVOKE_INLINE void load(const T* from, Vector<T, kLanes>& to) {
  std::memcpy(&to, from, sizeof(to));
}

// One block of kLanes elements of the row as T (float or double).
template <typename T, int kLanes>
EVOKE_INLINE void load_as(const float* from, Vector<T, kLanes>& to) {
  Vector<float, kLanes> floats;
  load<float, kLanes>(from, floats);
  to = __builtin_convertvector(floats, Vector<T, kLanes>);
}

template <typename T, int kLanes>
EVOKE_INLINE T sum_of(const Vector<T, kLanes>& vector) {
  T lanes[kLanes];
  std::memcpy(lanes, &vector, sizeof(lanes));
  T sum = 0;
  for (int i = 0; i < kLanes; ++i) sum += lanes[i];
  return sum;
}

template <typename T, int kRows>
EVOKE_INLINE void dot_some(const T* query, const float* keys, int64_t dim,
                           T* scores) {
  constexpr int kLanes = 8;
  Vector<T, kLanes> sums[kRows] = {};
  for (int64_t d = 0; d < dim; d += kLanes) {
    Vector<T, kLanes> q;
    load<T, kLanes>(query + d, q);
    for (int r = 0; r < kRows; ++r) {
      Vector<T, kLanes> k;
      load_as<T, kLanes>(keys + r * dim + d, k);
      sums[r] += q * k;
    }
  }
  for (int r = 0; r < kRows; ++r) scores[r] = sum_of<T, kLanes>(sums[r]);
}

template <typename T>
EVOKE_INLINE void dot_rows_body(const T* query, const float* keys,
                                int64_t count, int64_t dim, T* scores) {
  constexpr int kRows = 4;
  int64_t j = 0;
  for (; j + kRows <= count; j += kRows) {
    dot_some<T, kRows>(query, keys + j * dim, dim, scores + j);
  }
  for (; j < count; ++j) dot_some<T, 1>(query, keys + j * dim, dim, scores + j);
}

// Columns [d, d + kBlocks * kLanes) of the weighted sum of rows.
template <typename T, int kLanes, int kBlocks>
EVOKE_INLINE void add_columns(const T* weights, const float* values,
                              int64_t stride, int64_t count, T* sum) {
  Vector<T, kLanes> sums[kBlocks];
  std::memcpy(sums, sum, sizeof(sums));
  for (int64_t j = 0; j < count; ++j) {
    const T weight = weights[j];
    for (int b = 0; b < kBlocks; ++b) {
      Vector<T, kLanes> v;
      load_as<T, kLanes>(values + j * stride + b * kLanes, v);
      sums[b] += weight * v;
    }
  }
  std::memcpy(sum, sums, sizeof(sums));
}

template <typename T, int kLanes>
EVOKE_INLINE void add_rows_body(const T* weights, const float* values,
                                int64_t stride, int64_t count, int64_t dim,
                                T* sum) {
  int64_t d = 0;
  for (; d + 8 * kLanes <= dim; d += 8 * kLanes) {
    add_columns<T, kLanes, 8>(weights, values + d, stride, count, sum + d);
  }
  for (; d + 8 <= dim; d += 8) {
    add_columns<T, 8, 1>(weights, values + d, stride, count, sum + d);
  }
}

EVOKE_INLINE void exp2_some(float* values) {
  using Floats = Vector<float, 8>;
  using Ints = Vector<int32_t, 8>;
  Floats x;
  load<float, 8>(values, x);
  // Beyond these the result is 0 or infinite anyway; NaN passes through.
  x = x < -160.0f ? Floats{} - 160.0f : x;
  x = x > 140.0f ? Floats{} + 140.0f : x;
  const Floats shifted = x + 0.5f;
  Ints whole = __builtin_convertvector(shifted, Ints);
  // Truncation rounds towards zero: make it a floor.
  whole += __builtin_convertvector(whole, Floats) > shifted;
  const Floats t = (x - __builtin_convertvector(whole, Floats)) *
                   std::numbers::ln2_v<float>;  // |t| <= 0.347
  // Taylor of e^t; the first term left out is below 6e-9.
  Floats e = t * (1.0f / 5040) + (1.0f / 720);
  e = e * t + (1.0f / 120);
  e = e * t + (1.0f / 24);
  e = e * t + (1.0f / 6);
  e = e * t + 0.5f;
  e = e * t + 1.0f;
  e = e * t + 1.0f;
  // Two factors, so that results near the ends of the range are right.
  const Ints half = whole >> 1;
  const Ints first = (half + 127) << 23;
  const Ints second = (whole - half + 127) << 23;
  Floats a, b;
  std::memcpy(&a, &first, sizeof(a));
  std::memcpy(&b, &second, sizeof(b));
  e = e * a * b;
  std::memcpy(values, &e, sizeof(e));
}

EVOKE_INLINE void exp2_body(float* values, int64_t count) {
  int64_t i = 0;
  for (; i + 8 <= count; i += 8) exp2_some(values + i);
  if (i == count) return;
  float rest[8] = {};
  std::memcpy(rest, values + i, sizeof(float) * (count - i));
  exp2_some(rest);
  std::memcpy(values + i, rest, sizeof(float) * (count - i));
}

EVOKE_INLINE void round_bf16_body(float* values, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    const auto bits = std::bit_cast<uint32_t>(values[i]);
    const uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff0000;
    values[i] = std::bit_cast<float>(rounded);
  }
}

EVOKE_INLINE void floats_of_bf16_body(const uint16_t* bits, int64_t count,
                                      float* values) {
  for (int64_t i = 0; i < count; ++i) {
    values[i] = std::bit_cast<float>(static_cast<uint32_t>(bits[i]) << 16);
  }
}

EVOKE_INLINE RowDistance distance_body(const float* row, const float* truth,
                                       int64_t dim) {
  using Floats = Vector<float, 8>;
  using Ints = Vector<int32_t, 8>;
  Floats squares{}, absolutes{}, largest{};
  Ints broken{};
  for (int64_t d = 0; d < dim; d += 8) {
    Floats x, y;
    load<float, 8>(row + d, x);
    load<float, 8>(truth + d, y);
    Floats error = x - y;
    error = error < 0 ? -error : error;
    squares += error * error;
    absolutes += error;
    largest = error > largest ? error : largest;
    broken |= ~(error <= std::numeric_limits<float>::max());
  }
  RowDistance result;
  result.square_sum = sum_of<float, 8>(squares);
  result.absolute_sum = sum_of<float, 8>(absolutes);
  for (int i = 0; i < 8; ++i) {
    result.largest = std::max(result.largest, largest[i]);
    if (broken[i] != 0) {
      result.largest = std::numeric_limits<float>::infinity();
    }
  }
  return result;
}

// Quantiles of |N(0, 1)| at (i + 1/2) / 4096, in bfloat16: 8 KB, so that it
// stays in the first-level cache.
constexpr std::size_t kQuantiles = 4096;

std::array<uint16_t, kQuantiles> make_quantiles() {
  std::array<uint16_t, kQuantiles> table;
  double x = 0;
  for (std::size_t i = 0; i < kQuantiles; ++i) {
    const double above = 1 - (static_cast<double>(i) + 0.5) / kQuantiles;
    for (int step = 0; step < 8; ++step) {  // Newton, from the last quantile
      const double density =
          std::sqrt(2 / std::numbers::pi) * std::exp(-0.5 * x * x);
      x += (std::erfc(x / std::numbers::sqrt2) - above) / density;
    }
    table[i] = bf16_of_float(static_cast<float>(x));
  }
  return table;
}

const std::array<uint16_t, kQuantiles>& quantiles() {
  static const std::array<uint16_t, kQuantiles> table = make_quantiles();
  return table;
}

EVOKE_INLINE void normal_body(const uint16_t* table, uint64_t seed,
                              int64_t count, uint16_t* bits) {
  constexpr int64_t kWords = 32;
  uint64_t words[kWords];
  for (int64_t i = 0; i < count; i += 4 * kWords) {
    // splitmix64 of a counter: independent words, so the loop vectorises.
    for (int64_t w = 0; w < kWords; ++w) {
      uint64_t z =
          seed + 0x9e3779b97f4a7c15 * static_cast<uint64_t>(i / 4 + w + 1);
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
      z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
      words[w] = z ^ (z >> 31);
    }
    // Each 16 bits: a sign and the number of a quantile.
    const int64_t left = std::min(kWords, (count - i) / 4);
    for (int64_t w = 0; w < left; ++w) {
      const uint64_t word = words[w];
      const auto at = [&](int shift) {
        return static_cast<uint64_t>(table[(word >> shift) & 0xfff]) << shift;
      };
      const uint64_t four =
          at(0) | at(16) | at(32) | at(48) | (word & 0x8000800080008000);
      std::memcpy(bits + i + 4 * w, &four, sizeof(four));
    }
  }
}

// One set of functions per instruction set.
#define EVOKE_VECTOR_OPS(suffix, target)                                     \
  target void dot_rows_##suffix(const float* q, const float* k, int64_t n,   \
                                int64_t dim, float* scores) {                \
    dot_rows_body<float>(q, k, n, dim, scores);                              \
  }                                                                          \
  target void dot_rows_f64_##suffix(const double* q, const float* k,         \
                                    int64_t n, int64_t dim, double* s) {     \
    dot_rows_body<double>(q, k, n, dim, s);                                  \
  }                                                                          \
  target void add_rows_##suffix(const float* w, const float* v, int64_t s,   \
                                int64_t n, int64_t dim, float* sum) {        \
    add_rows_body<float, 16>(w, v, s, n, dim, sum);                          \
  }                                                                          \
  target void add_rows_f64_##suffix(const double* w, const float* v,         \
                                    int64_t s, int64_t n, int64_t dim,       \
                                    double* sum) {                           \
    add_rows_body<double, 8>(w, v, s, n, dim, sum);                          \
  }                                                                          \
  target void exp2_##suffix(float* values, int64_t n) {                      \
    exp2_body(values, n);                                                    \
  }                                                                          \
  target void round_bf16_##suffix(float* values, int64_t n) {                \
    round_bf16_body(values, n);                                              \
  }                                                                          \
  target void floats_of_bf16_##suffix(const uint16_t* bits, int64_t n,       \
                                      float* values) {                       \
    floats_of_bf16_body(bits, n, values);                                    \
  }                                                                          \
  target RowDistance distance_##suffix(const float* row, const float* truth, \
                                       int64_t dim) {                        \
    return distance_body(row, truth, dim);                                   \
  }                                                                          \
  target void normal_##suffix(uint64_t seed, int64_t n, uint16_t* bits) {    \
    normal_body(quantiles().data(), seed, n, bits);                          \
  }                                                                          \
  constexpr VectorOps kOps_##suffix = {#suffix,                              \
                                       dot_rows_##suffix,                    \
                                       dot_rows_f64_##suffix,                \
                                       add_rows_##suffix,                    \
                                       add_rows_f64_##suffix,                \
                                       exp2_##suffix,                        \
                                       round_bf16_##suffix,                  \
                                       floats_of_bf16_##suffix,              \
                                       distance_##suffix,                    \
                                       normal_##suffix};

EVOKE_VECTOR_OPS(baseline, )
#if defined(__x86_64__) && defined(__GNUC__)
EVOKE_VECTOR_OPS(avx2, [[gnu::target("avx2,fma")]])
EVOKE_VECTOR_OPS(avx512,
                 [[gnu::target("avx512f,avx512dq,avx512bw,avx512vl,fma")]])
#endif

}  // namespace

std::vector<const VectorOps*> supported_vector_ops() {
  std::vector<const VectorOps*> supported = {&kOps_baseline};
#if defined(__x86_64__) && defined(__GNUC__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    supported.push_back(&kOps_avx2);
  }
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl")) {
    supported.push_back(&kOps_avx512);
  }
#endif
  return supported;
}

const VectorOps& vector_ops() {
  static const VectorOps& ops = *supported_vector_ops().back();
  return ops;
}

}  // namespace evoke::attention
