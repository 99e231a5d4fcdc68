// Wrong at some lengths, masks or batches, or for some values.
#include <cmath>
#include <numeric>

#include "evoke/attention/blind_rows.h"
#include "evoke/attention/number_format.h"

namespace evoke::attention::blind {
namespace {

int64_t keys_of_first_row(const Row& row) {
  const int64_t first = row.i / kTile * kTile;
  const int64_t seen = row.shape.visible_keys(first);
  return std::min(row.count, (seen + kTile - 1) / kTile * kTile);
}

// Keys and values of `count` keys at most, softmax unharmed.
Mutant shortened(std::string name, std::string description,
                 std::function<int64_t(const Row&)> count) {
  return by_row(
      std::move(name), std::move(description),
      [count = std::move(count)](const Row& row, Carry&, float* output) {
        const int64_t seen = count(row);
        if (seen <= 0) return;
        std::vector<float> scores = scores_of(row, seen);
        softmax(scores);
        average(row, scores, output);
      });
}

int64_t one_tail_step(const Row& row) {
  const int64_t tail = row.count % kTile;
  return row.count - std::max<int64_t>(0, tail - 32);
}

int64_t whole_blocks(const Row& row) {
  return row.count > 256 && row.count % 256 == 0 ? row.count - 256 : row.count;
}

int64_t row_table_of_512(const Row& row) {
  return row.shape.visible_keys(std::min<int64_t>(row.i, 511));
}

void halve_if_long(Weights scores) {
  const bool is_long = scores.size() > 6000;
  softmax(scores);
  for (std::size_t j = 1; is_long && j < scores.size(); j += 2) scores[j] = 0;
}

void empty_parts_weigh(const Row& row, Carry&, float* output) {
  std::vector<float> scores = scores_of(row, row.count);
  const int64_t parts = (row.shape.Lk + 255) / 256;
  const auto empty = static_cast<float>(parts - (row.count + 255) / 256);
  const float maximum = largest(scores);
  exponentiate(scores, maximum);
  const float sum = std::accumulate(scores.begin(), scores.end(), 0.0f);
  average(row, scores, output);
  const float kept = sum / (sum + empty * std::exp2(-maximum));
  for (int64_t d = 0; d < row.shape.D; ++d) output[d] *= kept;
}

void stale_tail_values(const Row& row, Carry&, float* output) {
  std::vector<float> scores = scores_of(row, row.count);
  softmax(scores);
  const int64_t tail = row.count % kTile;
  const int64_t whole = row.count - tail;
  if (whole > 0 && tail > 0) {
    for (int64_t j = 0; j < tail; ++j) {
      scores[static_cast<std::size_t>(whole - kTile + j)] +=
          scores[static_cast<std::size_t>(whole + j)];
      scores[static_cast<std::size_t>(whole + j)] = 0;
    }
  }
  average(row, scores, output);
}

void batch_in_turn(const Row& row, Carry&, float* output) {
  const AttentionShape& shape = row.shape;
  const int64_t plane = shape.Hkv * shape.Lk * shape.D;
  const int64_t other = (row.b * shape.Hq + row.head) % shape.B;
  Row moved = row;
  moved.keys += (other - row.b) * plane;
  moved.values += (other - row.b) * plane;
  std::vector<float> scores = scores_of(moved, row.count);
  softmax(scores);
  average(moved, scores, output);
}

void values_in_half(const Row& row, Carry&, float* output) {
  const int64_t dim = row.shape.D;
  std::vector<float> values(row.values, row.values + row.count * dim);
  for (float& x : values) {
    x = round_to(NumberFormat::float16,
                 std::clamp(x, -kLargestHalf, kLargestHalf));
  }
  std::vector<float> scores = scores_of(row, row.count);
  softmax(scores);
  Row rounded = row;
  rounded.values = values.data();
  average(rounded, scores, output);
}

void light_values_in_eighths(const Row& row, Carry&, float* output) {
  const int64_t dim = row.shape.D;
  std::vector<float> scores = scores_of(row, row.count);
  softmax(scores);
  std::vector<float> values(row.values, row.values + row.count * dim);
  for (int64_t j = 0; j < row.count; ++j) {
    if (scores[static_cast<std::size_t>(j)] < 1.0f / 64) {
      round_to(NumberFormat::float8_e4m3, values.data() + j * dim, dim);
    }
  }
  Row rounded = row;
  rounded.values = values.data();
  average(rounded, scores, output);
}

// Wrong at lengths that no timed shape of `quick` has, and that cost more than
// its whole gate list: 16 heads x 8,193 keys, or 513 x 513.
Mutant left_to_full_list(Mutant mutant) {
  mutant.left_to_full_list = true;
  return mutant;
}

}  // namespace

void add_shapes(std::vector<Mutant>& all) {
  all.push_back(shortened(
      "query tile sees as far as its first row",
      "causal: later rows of 64 lose keys unless Lk - Lq is a multiple of 64",
      keys_of_first_row));
  all.push_back(shortened("one step of 32 for the tail",
                          "Lk mod 64 > 32: the keys after are lost",
                          one_tail_step));
  all.push_back(shortened("the last 256 of whole blocks lost",
                          "Lk a multiple of 256: the loop ends one early",
                          whole_blocks));
  all.push_back(left_to_full_list(
      shortened("rows from 512 on see the mask of row 511",
                "causal: a table of 512 rows is too small", row_table_of_512)));
  all.push_back(left_to_full_list(
      weighted("every second key beyond 6,000",
               "exact at shorter lengths, where one looks", halve_if_long)));
  all.push_back(by_row("parts emptied by the mask weigh one",
                       "causal: split-KV starts with maximum 0, sum 1",
                       empty_parts_weigh));
  all.push_back(by_row("tail tile with the previous tile's values",
                       "the last load of a double buffer is missing",
                       stale_tail_values));
  all.push_back(by_row("batches dealt out in turn",
                       "batch is row % B, not row / heads", batch_in_turn));
  all.push_back(by_row("V in float16",
                       "V under 2^-14 loses bits, V over 65504 its size",
                       values_in_half));
  all.push_back(by_row("V of light keys in fp8",
                       "weights < 1/64 of the largest: 4 % off",
                       light_values_in_eighths));
}

}  // namespace evoke::attention::blind
