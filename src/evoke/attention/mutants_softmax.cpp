#include <algorithm>
#include <cmath>
#include <limits>

#include "evoke/attention/mutant_families.h"
#include "evoke/attention/number_format.h"
#include "evoke/attention/vector_ops.h"

namespace evoke::attention {
namespace {

constexpr int64_t kTile = 64;

Mutant scaled(std::string name, double factor) {
  Recipe recipe;
  recipe.scale_factor = factor;
  return from_recipe(std::move(name), "the softmax scale is off",
                     std::move(recipe));
}

// An online softmax over tiles of 64 with one step left out.
struct Forgets {
  bool output_rescale = false;
  bool sum_rescale = false;
  bool later_maxima = false;  // the first tile's maximum is kept
};

void forgetful_softmax(Forgets forgets, std::span<const float> scores,
                       const float* values, int64_t dim, float* output) {
  const VectorOps& ops = vector_ops();
  float maximum = -std::numeric_limits<float>::infinity();
  float sum = 0;
  std::vector<float> p;
  const auto count = static_cast<int64_t>(scores.size());
  for (int64_t first = 0; first < count; first += kTile) {
    const int64_t size = std::min(kTile, count - first);
    p.assign(scores.begin() + first, scores.begin() + first + size);
    const float tile_max = *std::max_element(p.begin(), p.end());
    if (tile_max > maximum && (first == 0 || !forgets.later_maxima)) {
      const float factor = std::exp2(maximum - tile_max);
      if (!forgets.sum_rescale) sum *= factor;
      if (!forgets.output_rescale) {
        for (int64_t d = 0; d < dim; ++d) output[d] *= factor;
      }
      maximum = tile_max;
    }
    for (float& x : p) x -= maximum;
    ops.exp2(p.data(), size);
    for (const float x : p) sum += x;
    round_to(NumberFormat::bfloat16, p.data(), size);
    ops.add_rows(p.data(), values + first * dim, dim, size, dim, output);
  }
  for (int64_t d = 0; d < dim; ++d) output[d] /= sum;
}

Mutant forgetful(std::string name, std::string description, Forgets forgets) {
  Recipe recipe;
  recipe.attend = [forgets](std::span<const float> scores, const float* values,
                            int64_t dim, float* output) {
    forgetful_softmax(forgets, scores, values, dim, output);
  };
  return from_recipe(std::move(name), std::move(description),
                     std::move(recipe));
}

// Four parts of the keys, each normalised; combined with `weight(maximum,
// sum)` where the right weight is sum * 2^maximum.
template <typename Weight>
Mutant combined(std::string name, std::string description, Weight weight) {
  Recipe recipe;
  recipe.attend = [weight](std::span<const float> scores, const float* values,
                           int64_t dim, float* output) {
    const VectorOps& ops = vector_ops();
    const auto count = static_cast<int64_t>(scores.size());
    const int64_t parts = std::min<int64_t>(4, count);
    std::vector<float> p, part(dim);
    float total = 0;
    for (int64_t s = 0; s < parts; ++s) {
      const int64_t begin = count * s / parts;
      const int64_t size = count * (s + 1) / parts - begin;
      p.assign(scores.begin() + begin, scores.begin() + begin + size);
      const float maximum = *std::max_element(p.begin(), p.end());
      for (float& x : p) x -= maximum;
      ops.exp2(p.data(), size);
      float sum = 0;
      for (const float x : p) sum += x;
      std::fill(part.begin(), part.end(), 0.0f);
      ops.add_rows(p.data(), values + begin * dim, dim, size, dim, part.data());
      const float w = weight(maximum, sum);
      total += w;
      for (int64_t d = 0; d < dim; ++d) output[d] += w * part[d] / sum;
    }
    for (int64_t d = 0; d < dim; ++d) output[d] /= total;
  };
  return from_recipe(std::move(name), std::move(description),
                     std::move(recipe));
}

// Probabilities below `least` (of the largest) count as nothing.
Mutant thresholded(std::string name, float least) {
  Recipe recipe;
  recipe.edit_scores = [least](const RowPlace&, std::span<float> scores) {
    if (scores.empty()) return;
    const float limit =
        *std::max_element(scores.begin(), scores.end()) + std::log2(least);
    for (float& x : scores) {
      if (x < limit) x = -1e9f;
    }
  };
  return from_recipe(std::move(name), "small probabilities are skipped",
                     std::move(recipe));
}

}  // namespace

std::vector<Mutant> softmax_mutants() {
  std::vector<Mutant> mutants;
  mutants.push_back(scaled("scale +1.8 %", 1.018));
  mutants.push_back(scaled("scale -0.5 %", 0.995));
  Recipe raw;
  raw.form.subtract_max = false;
  mutants.push_back(from_recipe("no max subtraction", "exp of the raw scores",
                                std::move(raw)));
  mutants.push_back(forgetful("maximum of the first tile only",
                              "later maxima are ignored",
                              {.later_maxima = true}));
  mutants.push_back(forgetful("output not rescaled",
                              "the sum is, when the maximum grows",
                              {.output_rescale = true}));
  mutants.push_back(forgetful("sum not rescaled",
                              "the output is, when the maximum grows",
                              {.sum_rescale = true}));
  mutants.push_back(combined("parts averaged", "split-KV without weights",
                             [](float, float) { return 1.0f; }));
  mutants.push_back(combined("parts weighted by sums only",
                             "split-KV that ignores the maxima",
                             [](float, float sum) { return sum; }));
  mutants.push_back(thresholded("probabilities below 1 % skipped", 0.01f));
  mutants.push_back(thresholded("probabilities below 0.1 % skipped", 0.001f));
  Recipe top;
  top.edit_scores = [](const RowPlace&, std::span<float> scores) {
    constexpr std::size_t kKept = 128;
    if (scores.size() <= kKept) return;
    std::vector<float> sorted(scores.begin(), scores.end());
    std::nth_element(sorted.begin(), sorted.begin() + kKept - 1, sorted.end(),
                     std::greater<>());
    const float least = sorted[kKept - 1];
    for (float& x : scores) {
      if (x < least) x = -1e9f;
    }
  };
  mutants.push_back(from_recipe("128 largest scores only",
                                "sparse attention nobody asked for",
                                std::move(top)));
  Recipe early;
  early.attend = [](std::span<const float> scores, const float* values,
                    int64_t dim, float* output) {
    FlashScratch scratch;
    const auto count = static_cast<int64_t>(scores.size());
    attend_row({}, scores.data(), count, values, dim, output, scratch);
    // The last tile is in the output, but not in the sum.
    std::vector<float> p(scores.begin(), scores.end());
    const float maximum = *std::max_element(p.begin(), p.end());
    for (float& x : p) x -= maximum;
    vector_ops().exp2(p.data(), count);
    float sum = 0, missing = 0;
    for (int64_t j = 0; j < count; ++j) {
      sum += p[j];
      if (j / kTile == (count - 1) / kTile && j >= kTile) missing += p[j];
    }
    for (int64_t d = 0; d < dim; ++d) output[d] *= sum / (sum - missing);
  };
  mutants.push_back(from_recipe("sum without the last tile",
                                "the denominator is read too early",
                                std::move(early)));
  return mutants;
}

}  // namespace evoke::attention
