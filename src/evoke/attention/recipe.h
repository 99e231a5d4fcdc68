// Attention over whole tensors with everything that a wrong kernel may do
// differently as a setting.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "evoke/attention/flash_form.h"
#include "evoke/attention/inputs.h"

namespace evoke::attention {

// A row being computed.
struct RowPlace {
  const AttentionShape& shape;
  int64_t b = 0;
  int64_t head = 0;
  int64_t i = 0;
  int64_t visible = 0;  // keys that a right kernel sees
};

// Keys in a list may repeat; this one is a key and value of zeros.
inline constexpr int64_t kZeroKey = -1;

struct Recipe {
  FlashForm form;
  double scale_factor = 1;
  NumberFormat query = NumberFormat::float32;
  NumberFormat key = NumberFormat::float32;
  NumberFormat value = NumberFormat::float32;
  NumberFormat score = NumberFormat::float32;  // S, scaled, before softmax
  // Sum of the dot product, after every 16 elements.
  NumberFormat score_accumulator = NumberFormat::float32;
  bool round_scaled_query = false;  // Q scale [log2 e] to bfloat16
  bool scale_has_log2e = false;
  // Replaces the list 0 .. visible - 1.
  std::function<void(const RowPlace&, std::vector<int64_t>& keys)> keys;
  // Index of the value row that belongs to a key; the key's own if absent.
  std::function<int64_t(const RowPlace&, int64_t key)> value_of;
  // The key/value head (and batch) that a row reads.
  std::function<int64_t(const RowPlace&)> kv_head;
  std::function<int64_t(const RowPlace&)> kv_batch;
  std::function<int64_t(const RowPlace&)> query_head;
  // Changes the scores (log2 units), or the finished row.
  std::function<void(const RowPlace&, std::span<float> scores)> edit_scores;
  std::function<void(const RowPlace&, std::span<float> row)> edit_row;
  // Replaces attend_row.
  std::function<void(std::span<const float> scores, const float* values,
                     int64_t dim, float* output)>
      attend;
};

void compute(const Recipe& recipe, const FloatInputs& inputs,
             std::span<float> output);

}  // namespace evoke::attention
