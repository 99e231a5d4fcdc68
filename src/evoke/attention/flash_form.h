// A bit-accurate emulation, in float32, of the ways in which kernels compute
// one row of attention: tiles, splits, and what is rounded to which format on
// the way. Honest forms and wrong ones are settings of the same emulation.
#pragma once

#include <cstdint>
#include <vector>

#include "evoke/attention/number_format.h"

namespace evoke::attention {

// Replaces 2^x on an array (x <= 0 as a rule).
using Exp2 = void (*)(float* values, int64_t count);
void exp2_cubic(float* values, int64_t count);      // error 7.5e-5
void exp2_quadratic(float* values, int64_t count);  // exact at whole x, 3.6e-3
void exp2_minimax2(float* values, int64_t count);   // quadratic, 1.7e-3

struct FlashForm {
  int64_t tile = 64;  // keys per step of the online softmax
  // Parts of the keys that are computed apart and then combined.
  int64_t splits = 1;
  bool interleaved = false;  // key j belongs to part j % splits
  NumberFormat probability = NumberFormat::bfloat16;  // P before P V
  NumberFormat partial = NumberFormat::float32;       // a part's output
  NumberFormat accumulator = NumberFormat::float32;   // O, after each tile
  NumberFormat denominator = NumberFormat::float32;   // l, after each tile
  Exp2 exp2 = nullptr;                                // null: exact
  bool sum_rounded = false;  // the denominator sums the rounded P
  bool subtract_max = true;
  float lazy_rescale = 0;        // rescale O only when the maximum grew by
                                 // more than this (log2 units); 0: always
  bool normalise_first = false;  // P is divided by the denominator, then
                                 // rounded
};

// Memory reused from row to row; one per thread.
struct FlashScratch {
  std::vector<float> probabilities;
  std::vector<float> scores;
  std::vector<float> partials;
  std::vector<float> weights;
};

// `scores` are the `count` logits of one row times log2(e). values is
// (count, dim), contiguous. The result is not yet rounded to bfloat16; with
// no key it is zero.
void attend_row(const FlashForm& form, const float* scores, int64_t count,
                const float* values, int64_t dim, float* output,
                FlashScratch& scratch);

// scores[j] = log2(e) scale (query . keys[j])
void score_row(const float* query, const float* keys, int64_t count,
               int64_t dim, float scale, float* scores);

}  // namespace evoke::attention
