#include "evoke/attention/flash_form.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "evoke/attention/vector_ops.h"

namespace evoke::attention {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

template <typename Polynomial>
void exp2_with(float* values, int64_t count, const Polynomial& polynomial) {
  for (int64_t i = 0; i < count; ++i) {
    const float x = values[i];
    if (!(std::abs(x) < 200.0f)) {  // also NaN and infinities
      values[i] = std::exp2(x);
      continue;
    }
    const float whole = std::floor(x);
    values[i] = std::ldexp(polynomial(x - whole), static_cast<int>(whole));
  }
}

// Running state of one part: output not normalised, and its softmax.
struct Part {
  float maximum = kMinusInfinity;
  float sum = 0;
};

// One tile of keys: `scores` become probabilities.
void add_tile(const FlashForm& form, float* scores, int64_t count,
              const float* values, int64_t stride, int64_t dim, Part& part,
              float* output) {
  const VectorOps& ops = vector_ops();
  if (form.subtract_max) {
    const float tile_max = *std::max_element(scores, scores + count);
    const bool rescale = !(tile_max <= part.maximum + form.lazy_rescale);
    if (rescale && tile_max > kMinusInfinity) {
      const float factor = std::exp2(part.maximum - tile_max);
      for (int64_t d = 0; d < dim; ++d) output[d] *= factor;
      part.sum *= factor;
      part.maximum = tile_max;
    }
  } else {
    part.maximum = 0;
  }
  for (int64_t j = 0; j < count; ++j) scores[j] -= part.maximum;
  (form.exp2 != nullptr ? form.exp2 : ops.exp2)(scores, count);
  if (form.sum_rounded) round_to(form.probability, scores, count);
  float sum = 0;
  for (int64_t j = 0; j < count; ++j) sum += scores[j];
  part.sum = round_to(form.denominator, part.sum + sum);
  if (!form.sum_rounded) round_to(form.probability, scores, count);
  ops.add_rows(scores, values, stride, count, dim, output);
  round_to(form.accumulator, output, dim);
}

void attend_normalised(const FlashForm& form, const float* scores,
                       int64_t count, const float* values, int64_t dim,
                       float* output, FlashScratch& scratch) {
  const VectorOps& ops = vector_ops();
  std::vector<float>& p = scratch.probabilities;
  p.assign(scores, scores + count);
  const float largest = *std::max_element(p.begin(), p.end());
  for (float& x : p) x -= largest;
  (form.exp2 != nullptr ? form.exp2 : ops.exp2)(p.data(), count);
  float sum = 0;
  for (const float x : p) sum += x;
  for (float& x : p) x /= sum;
  round_to(form.probability, p.data(), count);
  for (int64_t first = 0; first < count; first += form.tile) {
    ops.add_rows(p.data() + first, values + first * dim, dim,
                 std::min(form.tile, count - first), dim, output);
    round_to(form.accumulator, output, dim);
  }
}

}  // namespace

void exp2_cubic(float* values, int64_t count) {
  // Minimax of the relative error on [0, 1), degree 3.
  exp2_with(values, count, [](float f) {
    return 0.99992522f +
           f * (0.69583354f + f * (0.22606716f + f * 0.07802452f));
  });
}

void exp2_quadratic(float* values, int64_t count) {
  exp2_with(values, count, [](float f) {
    return 1.0f + f * (2.0f / 3.0f + f * (1.0f / 3.0f));
  });
}

void exp2_minimax2(float* values, int64_t count) {
  exp2_with(values, count, [](float f) {
    return 1.00172476f + f * (0.65763628f + f * 0.33718943f);
  });
}

void score_row(const float* query, const float* keys, int64_t count,
               int64_t dim, float scale, float* scores) {
  vector_ops().dot_rows(query, keys, count, dim, scores);
  const float factor = scale * std::numbers::log2e_v<float>;
  for (int64_t j = 0; j < count; ++j) scores[j] *= factor;
}

void attend_row(const FlashForm& form, const float* scores, int64_t count,
                const float* values, int64_t dim, float* output,
                FlashScratch& scratch) {
  std::fill_n(output, dim, 0.0f);
  if (count == 0) return;
  if (form.normalise_first) {
    attend_normalised(form, scores, count, values, dim, output, scratch);
    return;
  }
  const int64_t splits = std::min(form.splits, count);
  std::vector<float>& partials = scratch.partials;
  partials.assign(splits * dim, 0.0f);
  std::vector<Part> parts(splits);
  for (int64_t s = 0; s < splits; ++s) {
    const int64_t begin = form.interleaved ? s : count * s / splits;
    const int64_t end = form.interleaved ? count : count * (s + 1) / splits;
    const int64_t step = form.interleaved ? splits : 1;
    std::vector<float>& mine = scratch.scores;
    mine.clear();
    for (int64_t j = begin; j < end; j += step) mine.push_back(scores[j]);
    const auto keys = static_cast<int64_t>(mine.size());
    for (int64_t first = 0; first < keys; first += form.tile) {
      add_tile(form, mine.data() + first, std::min(form.tile, keys - first),
               values + (begin + first * step) * dim, step * dim, dim, parts[s],
               &partials[s * dim]);
    }
  }
  float maximum = kMinusInfinity;
  for (const Part& part : parts) maximum = std::max(maximum, part.maximum);
  scratch.weights.resize(splits);
  float total = 0;
  for (int64_t s = 0; s < splits; ++s) {
    float* partial = &partials[s * dim];
    const Part& part = parts[s];
    for (int64_t d = 0; d < dim; ++d) partial[d] /= part.sum;
    round_to(form.partial, partial, dim);
    scratch.weights[s] =
        splits == 1 ? 1.0f : part.sum * std::exp2(part.maximum - maximum);
    total += scratch.weights[s];
  }
  if (splits > 1) {
    for (float& weight : scratch.weights) weight /= total;
  }
  vector_ops().add_rows(scratch.weights.data(), partials.data(), dim, splits,
                        dim, output);
}

}  // namespace evoke::attention
