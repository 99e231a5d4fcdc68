#include "evoke/attention/recipe.h"

#include <algorithm>
#include <numbers>

namespace evoke::attention {
namespace {

constexpr int64_t kMmaDepth = 16;  // elements per matrix instruction

// `values` rounded into `storage`, or as they are.
const float* rounded(const std::vector<float>& values, NumberFormat format,
                     std::vector<float>& storage) {
  if (format == NumberFormat::float32) return values.data();
  storage = values;
  round_to(format, storage.data(), static_cast<int64_t>(storage.size()));
  return storage.data();
}

// Dot products whose running sum is rounded after every kMmaDepth elements.
void coarse_scores(const Recipe& recipe, const float* query, const float* keys,
                   int64_t count, int64_t dim, float factor, float* scores) {
  for (int64_t j = 0; j < count; ++j) {
    float sum = 0;
    for (int64_t first = 0; first < dim; first += kMmaDepth) {
      for (int64_t d = first; d < std::min(first + kMmaDepth, dim); ++d) {
        sum += query[d] * keys[j * dim + d];
      }
      sum = round_to(recipe.score_accumulator, sum);
    }
    scores[j] = sum * factor;
  }
}

// The rows of `tensor` named by `list`, gathered; zeros for kZeroKey.
void gather(const float* tensor, const std::vector<int64_t>& list, int64_t dim,
            std::vector<float>& gathered) {
  gathered.assign(list.size() * dim, 0.0f);
  for (std::size_t j = 0; j < list.size(); ++j) {
    if (list[j] == kZeroKey) continue;
    std::copy_n(tensor + list[j] * dim, dim, &gathered[j * dim]);
  }
}

class RecipeRunner {
 public:
  RecipeRunner(const Recipe& recipe, const FloatInputs& inputs)
      : recipe_(recipe),
        shape_(inputs.shape),
        query_(rounded(inputs.query, recipe.query, query_storage_)),
        key_(rounded(inputs.key, recipe.key, key_storage_)),
        value_(rounded(inputs.value, recipe.value, value_storage_)) {}

  void row(const RowPlace& place, std::span<float> output) {
    const int64_t dim = shape_.D;
    const int64_t b = recipe_.kv_batch ? recipe_.kv_batch(place) : place.b;
    const int64_t kv_head =
        recipe_.kv_head ? recipe_.kv_head(place) : place.head / shape_.group();
    const int64_t plane = (b * shape_.Hkv + kv_head) * shape_.Lk * dim;
    const float* keys = key_ + plane;
    const float* values = value_ + plane;
    int64_t count = place.visible;
    if (recipe_.keys || recipe_.value_of) {
      list_.resize(place.visible);
      for (int64_t j = 0; j < place.visible; ++j) list_[j] = j;
      if (recipe_.keys) recipe_.keys(place, list_);
      gather(keys, list_, dim, gathered_keys_);
      if (recipe_.value_of) {
        for (int64_t& j : list_) j = recipe_.value_of(place, j);
      }
      gather(values, list_, dim, gathered_values_);
      keys = gathered_keys_.data();
      values = gathered_values_.data();
      count = static_cast<int64_t>(list_.size());
    }
    scores_.resize(count);
    score(place, keys, count);
    if (recipe_.edit_scores) recipe_.edit_scores(place, scores_);
    if (recipe_.attend) {
      std::fill(output.begin(), output.end(), 0.0f);
      if (count > 0) recipe_.attend(scores_, values, dim, output.data());
    } else {
      attend_row(recipe_.form, scores_.data(), count, values, dim,
                 output.data(), scratch_);
    }
    if (recipe_.edit_row) recipe_.edit_row(place, output);
  }

 private:
  void score(const RowPlace& place, const float* keys, int64_t count) {
    const int64_t dim = shape_.D;
    const int64_t head =
        recipe_.query_head ? recipe_.query_head(place) : place.head;
    const float* query =
        query_ + ((place.b * shape_.Hq + head) * shape_.Lq + place.i) * dim;
    const float scale =
        static_cast<float>(shape_.scale() * recipe_.scale_factor);
    if (recipe_.round_scaled_query) {
      const float factor =
          scale * (recipe_.scale_has_log2e ? std::numbers::log2e_v<float> : 1);
      scaled_.assign(query, query + dim);
      for (float& x : scaled_) x *= factor;
      round_to(NumberFormat::bfloat16, scaled_.data(), dim);
      score_row(scaled_.data(), keys, count, dim, 1, scores_.data());
      if (recipe_.scale_has_log2e) {
        for (float& x : scores_) x /= std::numbers::log2e_v<float>;
      }
    } else if (recipe_.score_accumulator != NumberFormat::float32) {
      coarse_scores(recipe_, query, keys, count, dim,
                    scale * std::numbers::log2e_v<float>, scores_.data());
    } else {
      score_row(query, keys, count, dim, scale, scores_.data());
    }
    if (recipe_.score != NumberFormat::float32) {
      for (float& x : scores_) {
        x = round_to(recipe_.score, x / std::numbers::log2e_v<float>) *
            std::numbers::log2e_v<float>;
      }
    }
  }

  const Recipe& recipe_;
  const AttentionShape& shape_;
  std::vector<float> query_storage_, key_storage_, value_storage_;
  const float* query_;
  const float* key_;
  const float* value_;
  std::vector<float> scaled_, scores_, gathered_keys_, gathered_values_;
  std::vector<int64_t> list_;
  FlashScratch scratch_;
};

}  // namespace

void compute(const Recipe& recipe, const FloatInputs& inputs,
             std::span<float> output) {
  const AttentionShape& shape = inputs.shape;
  RecipeRunner runner(recipe, inputs);
  int64_t row = 0;
  for (int64_t b = 0; b < shape.B; ++b) {
    for (int64_t h = 0; h < shape.Hq; ++h) {
      for (int64_t i = 0; i < shape.Lq; ++i, ++row) {
        runner.row({shape, b, h, i, shape.visible_keys(i)},
                   output.subspan(row * shape.D, shape.D));
      }
    }
  }
}

}  // namespace evoke::attention
