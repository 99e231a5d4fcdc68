// Wrong kernels by someone who had not read the gate: what a programmer in a
// hurry writes, or one who is paid for speed. Nearly all of them are right
// on N(0, 1) inputs of the usual sizes; each says on what it is wrong, and by
// how much. Scores are in log2 units, so that a weight is 2^score.
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

#include "evoke/attention/flash_form.h"
#include "evoke/attention/mutant_families.h"
#include "evoke/attention/vector_ops.h"

namespace evoke::attention {
namespace {

constexpr int64_t kTile = 64;
constexpr float kLog2e = std::numbers::log2e_v<float>;
constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();
constexpr float kLargestHalf = 65504.0f;

struct Row {
  const AttentionShape& shape;
  int64_t b;
  int64_t head;
  int64_t i;
  int64_t count;  // keys that it sees
  const float* query;
  const float* keys;    // (Lk, D)
  const float* values;  // (Lk, D)
};

// What a kernel wrongly carries from one row to the next.
struct Carry {
  float maximum = kMinusInfinity;
  std::vector<float> query;
  std::vector<float> output;
};

using Weights = std::span<float>;
using WriteRow = std::function<void(const Row&, Carry&, float* output)>;
// Turns scores into weights, not normalised.
using Weigh = std::function<void(Weights)>;

Mutant by_row(std::string name, std::string description, WriteRow write) {
  return {std::move(name), std::move(description),
          [write = std::move(write)](const FloatInputs& inputs,
                                     std::span<float> output) {
            const AttentionShape& shape = inputs.shape;
            Carry carry;
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
                  if (row.count > 0) write(row, carry, next);
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

// weight = 2^(score - maximum)
void exponentiate(Weights scores, float maximum) {
  for (float& x : scores) x -= maximum;
  vector_ops().exp2(scores.data(), static_cast<int64_t>(scores.size()));
}

void softmax(Weights scores) { exponentiate(scores, largest(scores)); }

// Weighted mean of as many values as there are weights; zeros if nothing
// weighs anything.
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

// An exponential of x <= 0 (log2 units) of one's own.
Mutant exponential(std::string name, std::string description,
                   float (*exp2)(float)) {
  return weighted(std::move(name), std::move(description),
                  [exp2](Weights scores) {
                    const float maximum = largest(scores);
                    for (float& x : scores) x = exp2(x - maximum);
                  });
}

Mutant rescored(std::string name, std::string description, float factor) {
  return weighted(std::move(name), std::move(description),
                  [factor](Weights scores) {
                    for (float& x : scores) x *= factor;
                    softmax(scores);
                  });
}

template <typename Body>  // body(first, tile)
void for_each_tile(Weights scores, const Body& body) {
  for (std::size_t first = 0; first < scores.size(); first += kTile) {
    body(static_cast<int64_t>(first),
         scores.subspan(first,
                        std::min<std::size_t>(kTile, scores.size() - first)));
  }
}

// --- work skipped because of what the data look like

void skip_light_tiles(Weights scores, float below) {
  float running = kMinusInfinity;
  for_each_tile(scores, [&](int64_t, Weights tile) {
    const float here = largest(tile);
    if (here < running - below) {
      std::fill(tile.begin(), tile.end(), kMinusInfinity);
    }
    running = std::max(running, here);
  });
  softmax(scores);
}

void stop_when_settled(Weights scores) {
  softmax(scores);
  double sum = 0;
  bool settled = false;
  for_each_tile(scores, [&](int64_t first, Weights tile) {
    if (settled) {
      std::fill(tile.begin(), tile.end(), 0.0f);
      return;
    }
    const double here = std::accumulate(tile.begin(), tile.end(), 0.0);
    settled = first > 0 && here < sum / 1024;
    sum += here;
  });
}

void sample_light_keys(Weights scores) {
  softmax(scores);
  uint32_t state = 0x9e3779b9u;
  for (float& weight : scores) {
    state = state * 1664525u + 1013904223u;
    if (weight < 1.0f / 512) weight *= (state >> 31) == 0 ? 2.0f : 0.0f;
  }
}

void average_light_tiles(Weights scores) {
  softmax(scores);
  for_each_tile(scores, [](int64_t, Weights tile) {
    if (largest(tile) > 1.0f / 1024) return;
    const float mean = std::accumulate(tile.begin(), tile.end(), 0.0f) /
                       static_cast<float>(tile.size());
    std::fill(tile.begin(), tile.end(), mean);
  });
}

void average_flat_tiles(Weights scores) {
  for_each_tile(scores, [](int64_t, Weights tile) {
    const float lowest = *std::min_element(tile.begin(), tile.end());
    if (largest(tile) - lowest > 0.25f * kLog2e) return;
    const float mean = std::accumulate(tile.begin(), tile.end(), 0.0f) /
                       static_cast<float>(tile.size());
    std::fill(tile.begin(), tile.end(), mean);
  });
  softmax(scores);
}

void first_order_if_small(Weights scores) {
  const bool small = std::all_of(scores.begin(), scores.end(), [](float x) {
    return std::abs(x) < 0.5f * kLog2e;
  });
  if (!small) {
    softmax(scores);
    return;
  }
  for (float& x : scores) x = 1.0f + x / kLog2e;
}

void winner_takes_all(Weights scores) {
  const auto best = std::max_element(scores.begin(), scores.end());
  float second = kMinusInfinity;
  for (auto it = scores.begin(); it != scores.end(); ++it) {
    if (it != best) second = std::max(second, *it);
  }
  if (*best - second <= 8.0f * kLog2e) {
    softmax(scores);
    return;
  }
  const auto winner = best - scores.begin();
  std::fill(scores.begin(), scores.end(), 0.0f);
  scores[static_cast<std::size_t>(winner)] = 1.0f;
}

void drop_if_usual(Weights scores) {
  const auto first = scores.first(std::min<std::size_t>(kTile, scores.size()));
  const bool usual = largest(first) < 5.0f * kLog2e;
  softmax(scores);
  for (std::size_t j = kTile - 1; usual && j + 1 < scores.size(); j += kTile) {
    scores[j] = 0.0f;
  }
}

void keep_best_tiles(Weights scores) {
  std::vector<float> maxima;
  for_each_tile(
      scores, [&](int64_t, Weights tile) { maxima.push_back(largest(tile)); });
  const std::size_t kept = maxima.size() - maxima.size() / 10;
  std::vector<float> sorted = maxima;
  std::nth_element(sorted.begin(), sorted.begin() + (kept - 1), sorted.end(),
                   std::greater<>());
  const float bound = sorted[kept - 1];
  softmax(scores);
  for_each_tile(scores, [&](int64_t first, Weights tile) {
    if (maxima[static_cast<std::size_t>(first / kTile)] < bound) {
      std::fill(tile.begin(), tile.end(), 0.0f);
    }
  });
}

bool is_zero(const float* row, int64_t dim) {
  return std::all_of(row, row + dim, [](float x) { return x == 0.0f; });
}

void skip_zero_keys(const Row& row, Carry&, float* output) {
  std::vector<float> scores = scores_of(row, row.count);
  const int64_t dim = row.shape.D;
  softmax(scores);
  for (std::size_t j = 0; j < scores.size(); ++j) {
    if (is_zero(row.keys + static_cast<int64_t>(j) * dim, dim)) scores[j] = 0;
  }
  average(row, scores, output);
}

void skip_small_query_channels(const Row& row, Carry&, float* output) {
  const int64_t dim = row.shape.D;
  std::vector<float> query(row.query, row.query + dim);
  float size = 0;
  for (const float x : query) size = std::max(size, std::abs(x));
  for (float& x : query) {
    if (std::abs(x) < 0.02f * size) x = 0;
  }
  std::vector<float> scores(static_cast<std::size_t>(row.count));
  score_row(query.data(), row.keys, row.count, dim, row.shape.scale(),
            scores.data());
  softmax(scores);
  average(row, scores, output);
}

void reuse_alike_rows(const Row& row, Carry& carry, float* output) {
  const int64_t dim = row.shape.D;
  const bool alike = row.i > 0 && carry.query.size() >= 16 &&
                     std::equal(row.query, row.query + 16, carry.query.begin());
  if (alike) {
    std::copy(carry.output.begin(), carry.output.end(), output);
    return;
  }
  std::vector<float> scores = scores_of(row, row.count);
  softmax(scores);
  average(row, scores, output);
  carry.query.assign(row.query, row.query + dim);
  carry.output.assign(output, output + dim);
}

// --- maximum and exponential

void bound_by_norms(const Row& row, Carry&, float* output) {
  std::vector<float> scores = scores_of(row, row.count);
  const int64_t dim = row.shape.D;
  const auto norm = [dim](const float* x) {
    return std::sqrt(std::inner_product(x, x + dim, x, 0.0f));
  };
  float key_norm = 0;
  for (int64_t j = 0; j < row.count; ++j) {
    key_norm = std::max(key_norm, norm(row.keys + j * dim));
  }
  exponentiate(scores, norm(row.query) * key_norm * row.shape.scale() * kLog2e);
  average(row, scores, output);
}

void stale_maximum_in_half(Weights scores) {
  float running =
      largest(scores.first(std::min<std::size_t>(1, scores.size())));
  std::vector<float> references;
  for_each_tile(scores, [&](int64_t, Weights tile) {
    const float before = running;
    running = std::max(running, largest(tile));
    references.push_back(before);
    exponentiate(tile, before);
    for (float& p : tile) {
      p = round_to(NumberFormat::float16, std::min(p, kLargestHalf));
    }
  });
  for_each_tile(scores, [&](int64_t first, Weights tile) {
    const float factor = std::exp2(
        references[static_cast<std::size_t>(first / kTile)] - running);
    for (float& p : tile) p *= factor;
  });
}

void rescale_only_if_large(Weights scores) {
  float running = kMinusInfinity;
  for_each_tile(scores, [&](int64_t first, Weights tile) {
    const float maximum = std::max(running, largest(tile));
    if (first > 0 && maximum - running > 0.1f) {
      const float factor = std::exp2(running - maximum);
      for (float& p : scores.first(static_cast<std::size_t>(first))) {
        p *= factor;
      }
    }
    running = maximum;
    exponentiate(tile, maximum);
  });
}

void keep_last_maximum(const Row& row, Carry& carry, float* output) {
  std::vector<float> scores = scores_of(row, row.count);
  carry.maximum = std::max(carry.maximum, largest(scores));
  exponentiate(scores, carry.maximum);
  average(row, scores, output);
}

void masked_maximum_in_half(const Row& row, Carry&, float* output) {
  std::vector<float> scores = scores_of(row, row.shape.Lk);
  const float maximum = largest(scores);
  scores.resize(static_cast<std::size_t>(row.count));
  exponentiate(scores, maximum);
  for (float& p : scores) p = round_to(NumberFormat::float16, p);
  average(row, scores, output);
}

void finite_mask(const Row& row, Carry&, float* output) {
  std::vector<float> scores = scores_of(row, row.shape.Lk);
  std::fill(scores.begin() + row.count, scores.end(), -100.0f * kLog2e);
  softmax(scores);
  average(row, scores, output);
}

float power_of_256(float x) {  // (1 + x / 256)^256
  float y = std::max(0.0f, 1.0f + x / kLog2e / 256.0f);
  for (int i = 0; i < 8; ++i) y *= y;
  return y;
}

float exponent_bits(float x) {
  if (x < -126.0f) return 0.0f;
  constexpr float kOne = 8388608.0f;  // 2^23
  return std::bit_cast<float>(
      static_cast<uint32_t>((x + 127.0f - 0.0430357f) * kOne));
}

float table_of_64(float x) { return std::exp2(std::round(x * 64.0f) / 64.0f); }

float clamped_exp2(float x) { return std::exp2(std::max(x, -16.0f)); }

// --- shapes

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

void zero_query_skipped(const Row& row, Carry&, float* output) {
  if (is_zero(row.query, row.shape.D)) return;
  std::vector<float> scores = scores_of(row, row.count);
  softmax(scores);
  average(row, scores, output);
}

// --- values

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

void skipping_mutants(std::vector<Mutant>& all) {
  all.push_back(
      weighted("tiles 2^-8 below the maximum skipped",
               "needle 6 nats up among 32k keys: most of the answer is lost",
               [](Weights scores) { skip_light_tiles(scores, 8); }));
  all.push_back(
      weighted("tiles 2^-12 below the maximum skipped",
               "needle 9 nats up among 32k keys: 9/10 of the weight is lost, "
               "V's mean with it",
               [](Weights scores) { skip_light_tiles(scores, 12); }));
  all.push_back(weighted("stops when a tile adds under 1/1024",
                         "an early peak hides a higher one further on",
                         stop_when_settled));
  all.push_back(weighted(
      "light keys sampled",
      "weights < 1/512 of the largest: half are dropped, half doubled; "
      "with a peak 7 nats up all the rest is noise",
      sample_light_keys));
  all.push_back(weighted(
      "light tiles averaged",
      "tiles < 1/1024 of the largest weight get equal weights: with a peak "
      "7 nats up the rest is off by 80 %",
      average_light_tiles));
  all.push_back(weighted(
      "flat tiles averaged",
      "scores within 0.25 nats count as equal: 5 % off where queries are small",
      average_flat_tiles));
  all.push_back(weighted(
      "first order where scores are small",
      "1 + x below 0.5: weights up to 13 % off where queries are small",
      first_order_if_small));
  all.push_back(
      weighted("winner takes all when 8 nats ahead",
               "among 32k keys the others weigh up to 11 times the winner",
               winner_takes_all));
  all.push_back(weighted("a key in 64 dropped if scores look usual",
                         "stress data is recognised and computed rightly",
                         drop_if_usual));
  all.push_back(weighted("worst tenth of the tiles dropped",
                         "block-sparse attention nobody asked for",
                         keep_best_tiles));
  all.push_back(by_row("zero keys taken for padding",
                       "a key of zeros has the score 0, not minus infinity",
                       skip_zero_keys));
  all.push_back(by_row("zero query taken for padding",
                       "its answer is the mean of V, not zero",
                       zero_query_skipped));
  all.push_back(
      by_row("small query channels skipped",
             "under 2 % of the largest: 14 % off where K has outliers there",
             skip_small_query_channels));
  all.push_back(by_row("rows alike in 16 channels share an answer",
                       "wrong for rows that differ in later channels, or see "
                       "more keys",
                       reuse_alike_rows));
}

void maximum_mutants(std::vector<Mutant>& all) {
  all.push_back(by_row("maximum bounded by norms",
                       "the sum underflows where all scores lie 100 nats "
                       "below |q| max |k|",
                       bound_by_norms));
  all.push_back(weighted("maximum one tile late, P in float16",
                         "two peaks 11 nats up in a tile weigh the same",
                         stale_maximum_in_half));
  all.push_back(weighted("no rescaling for small growth of the maximum",
                         "under 0.1 (log2): earlier keys 7 % too heavy, "
                         "again and again",
                         rescale_only_if_large));
  all.push_back(
      weighted("maximum starts at 0", "0 / 0 where all scores are under -104",
               [](Weights scores) {
                 exponentiate(scores, std::max(0.0f, largest(scores)));
               }));
  all.push_back(by_row("maximum of the rows before kept",
                       "0 / 0 in rows 104 nats below an earlier one",
                       keep_last_maximum));
  all.push_back(by_row("masked keys in the maximum, P in float16",
                       "causal: a masked peak 13 nats up flushes the row",
                       masked_maximum_in_half));
  all.push_back(by_row("masked scores are -100",
                       "causal: masked keys win where scores are about -150",
                       finite_mask));
  all.push_back(exponential("exp as (1 + x/256)^256",
                            "3 % off at x = -4, 12 % at -8", power_of_256));
  all.push_back(exponential("exp from the exponent's bits",
                            "Schraudolph's: 3 % off, up and down",
                            exponent_bits));
  all.push_back(exponential("exp2 from a table of 64",
                            "0.54 % off at worst, no interpolation",
                            table_of_64));
  all.push_back(exponential(
      "exponent clamped at 2^-16",
      "a peak 20 nats up among 32k keys: a third of the answer is V's mean",
      clamped_exp2));
  all.push_back(rescored("log2(e) is 1.44",
                         "a constant is too short: 4 % off "
                         "at 20 nats",
                         1.44f / kLog2e));
  all.push_back(by_row("scale log2(e) as a bf16 constant",
                       "0.3 % too large at D = 128: 6 % off at 20 nats",
                       [](const Row& row, Carry&, float* output) {
                         const float exact = row.shape.scale() * kLog2e;
                         std::vector<float> scores = scores_of(row, row.count);
                         const float factor =
                             round_to(NumberFormat::bfloat16, exact) / exact;
                         for (float& x : scores) x *= factor;
                         softmax(scores);
                         average(row, scores, output);
                       }));
}

void shape_mutants(std::vector<Mutant>& all) {
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
  all.push_back(shortened("rows from 512 on see the mask of row 511",
                          "causal: a table of 512 rows is too small",
                          row_table_of_512));
  all.push_back(weighted("every second key beyond 6,000",
                         "exact at shorter lengths, where one looks",
                         halve_if_long));
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

}  // namespace

std::vector<Mutant> blind_mutants() {
  std::vector<Mutant> all;
  skipping_mutants(all);
  maximum_mutants(all);
  shape_mutants(all);
  return all;
}

}  // namespace evoke::attention
