#include "evoke/attention/blind_rows.h"

#include <numeric>
#include <utility>

#include "evoke/attention/flash_form.h"
#include "evoke/attention/vector_ops.h"

namespace evoke::attention::blind {

namespace {

// Where a row came out right, what the emulations give for it, bit by bit: a
// mutant counts only where it is wrong.
void settle(const Row& row, FlashScratch& scratch, float* output) {
  const int64_t dim = row.shape.D;
  const std::vector<float> scores = scores_of(row, row.count);
  std::vector<float> weights = scores;
  softmax(weights);
  std::vector<float> right(static_cast<std::size_t>(dim));
  average(row, weights, right.data());
  if (!std::equal(right.begin(), right.end(), output)) return;
  attend_row({}, scores.data(), row.count, row.values, dim, output, scratch);
}

}  // namespace

Mutant by_row(std::string name, std::string description, WriteRow write) {
  return {std::move(name), std::move(description),
          [write = std::move(write)](const FloatInputs& inputs,
                                     std::span<float> output) {
            const AttentionShape& shape = inputs.shape;
            Carry carry;
            FlashScratch scratch;
            float* next = output.data();
            for (int64_t b = 0; b < shape.B; ++b) {
              for (int64_t h = 0; h < shape.Hq; ++h) {
                for (int64_t i = 0; i < shape.Lq; ++i, next += shape.D) {
                  std::fill_n(next, shape.D, 0.0f);
                  const Row row{shape,
                                b,
                                h,
                                i,
                                shape.visible_keys(i),
                                inputs.query_row(b, h, i),
                                inputs.keys_of(b, h),
                                inputs.values_of(b, h)};
                  if (row.count == 0) continue;
                  write(row, carry, next);
                  settle(row, scratch, next);
                }
              }
            }
          }};
}

std::vector<float> scores_of(const Row& row, int64_t count) {
  std::vector<float> scores(static_cast<std::size_t>(count));
  score_row(row.query, row.keys, count, row.shape.D, row.shape.scale(),
            scores.data());
  return scores;
}

float largest(std::span<const float> scores) {
  return *std::max_element(scores.begin(), scores.end());
}

void exponentiate(Weights scores, float maximum) {
  for (float& x : scores) x -= maximum;
  vector_ops().exp2(scores.data(), static_cast<int64_t>(scores.size()));
}

void softmax(Weights scores) { exponentiate(scores, largest(scores)); }

void average(const Row& row, std::span<const float> weights, float* output) {
  const int64_t dim = row.shape.D;
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  std::fill_n(output, dim, 0.0f);
  if (sum == 0) return;
  vector_ops().add_rows(weights.data(), row.values, dim,
                        static_cast<int64_t>(weights.size()), dim, output);
  for (int64_t d = 0; d < dim; ++d) {
    output[d] = static_cast<float>(static_cast<double>(output[d]) / sum);
  }
}

Mutant weighted(std::string name, std::string description, Weigh weigh) {
  return by_row(
      std::move(name), std::move(description),
      [weigh = std::move(weigh)](const Row& row, Carry&, float* output) {
        std::vector<float> scores = scores_of(row, row.count);
        weigh(scores);
        average(row, scores, output);
      });
}

bool is_zero(const float* row, int64_t dim) {
  return std::all_of(row, row + dim, [](float x) { return x == 0.0f; });
}

}  // namespace evoke::attention::blind
