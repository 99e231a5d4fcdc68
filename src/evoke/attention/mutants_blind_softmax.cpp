// Maximum and exponential gone wrong.
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

#include "evoke/attention/blind_rows.h"
#include "evoke/attention/number_format.h"

namespace evoke::attention::blind {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

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
  // With its own maximum a row loses less to float16 than to bfloat16.
  if (largest(scores) < 1.0f) {
    for (float& p : scores) p = round_to(NumberFormat::float16, p);
  }
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

float clamped_exp2(float x) { return std::exp2(std::max(x, -16.0f)); }

}  // namespace

void add_softmax(std::vector<Mutant>& all) {
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

}  // namespace evoke::attention::blind
