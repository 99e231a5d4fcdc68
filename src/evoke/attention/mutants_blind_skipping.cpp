// Work skipped because of what the data look like.
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "evoke/attention/blind_rows.h"
#include "evoke/attention/flash_form.h"

namespace evoke::attention::blind {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

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

void zero_query_skipped(const Row& row, Carry&, float* output) {
  if (is_zero(row.query, row.shape.D)) return;
  std::vector<float> scores = scores_of(row, row.count);
  softmax(scores);
  average(row, scores, output);
}

}  // namespace

void add_skipping(std::vector<Mutant>& all) {
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

}  // namespace evoke::attention::blind
