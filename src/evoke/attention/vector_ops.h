// The inner loops of reference, emulations and input generation, compiled
// for the widest vectors of this CPU (AVX-512, AVX2 + FMA, or the baseline)
// and chosen once at run time. Rows are contiguous; `dim` is a multiple of 8.
#pragma once

#include <cstdint>
#include <vector>

namespace evoke::attention {

// How far one row is from the truth.
struct RowDistance {
  double square_sum = 0;  // of errors
  double absolute_sum = 0;
  float largest = 0;  // absolute error; infinite if anything is not finite
};

struct VectorOps {
  const char* isa;
  // scores[j] = sum_d query[d] * keys[j * dim + d]
  void (*dot_rows)(const float* query, const float* keys, int64_t count,
                   int64_t dim, float* scores);
  void (*dot_rows_f64)(const double* query, const float* keys, int64_t count,
                       int64_t dim, double* scores);
  // sum[d] += weights[j] * values[j * stride + d]
  void (*add_rows)(const float* weights, const float* values, int64_t stride,
                   int64_t count, int64_t dim, float* sum);
  void (*add_rows_f64)(const double* weights, const float* values,
                       int64_t stride, int64_t count, int64_t dim, double* sum);
  // values[i] = 2 ^ values[i], within 2 ulp; overflows to infinity.
  void (*exp2)(float* values, int64_t count);
  // Rounds to bfloat16 and back; finite values only.
  void (*round_bf16)(float* values, int64_t count);
  void (*floats_of_bf16)(const uint16_t* bits, int64_t count, float* values);
  RowDistance (*distance)(const float* row, const float* truth, int64_t dim);
  // N(0, 1) in bfloat16 through a table of 2 x 4,096 quantiles, each equally
  // likely (so |x| < 3.9), elements independent. `count` a multiple of 8.
  void (*normal_bf16)(uint64_t seed, int64_t count, uint16_t* bits);
};

// The widest that this CPU can run.
const VectorOps& vector_ops();
// All that it can run, the widest last: for tests.
std::vector<const VectorOps*> supported_vector_ops();

}  // namespace evoke::attention
