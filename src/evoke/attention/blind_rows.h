// How the blind mutants are written: one row at a time. Private to
// mutants_blind*.cpp.
//
// Scores are in log2 units, so that a weight is 2^score.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <numbers>
#include <span>
#include <string>
#include <vector>

#include "evoke/attention/mutants.h"

namespace evoke::attention::blind {

inline constexpr int64_t kTile = 64;
inline constexpr float kLog2e = std::numbers::log2e_v<float>;
inline constexpr float kLargestHalf = 65504.0f;

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
  float maximum = -std::numeric_limits<float>::infinity();
  std::vector<float> query;
  std::vector<float> output;
};

using Weights = std::span<float>;
using WriteRow = std::function<void(const Row&, Carry&, float* output)>;
// Turns scores into weights, not normalised.
using Weigh = std::function<void(Weights)>;

Mutant by_row(std::string name, std::string description, WriteRow write);
Mutant weighted(std::string name, std::string description, Weigh weigh);

// Of the first `count` keys.
std::vector<float> scores_of(const Row& row, int64_t count);
float largest(std::span<const float> scores);
// weight = 2^(score - maximum)
void exponentiate(Weights scores, float maximum);
void softmax(Weights scores);
// Weighted mean of as many values as there are weights; zeros if nothing
// weighs anything.
void average(const Row& row, std::span<const float> weights, float* output);
bool is_zero(const float* row, int64_t dim);

template <typename Body>  // body(first, tile)
void for_each_tile(Weights scores, const Body& body) {
  for (std::size_t first = 0; first < scores.size(); first += kTile) {
    body(static_cast<int64_t>(first),
         scores.subspan(first,
                        std::min<std::size_t>(kTile, scores.size() - first)));
  }
}

// The mutants, by what they get wrong.
void add_skipping(std::vector<Mutant>& all);  // work, because of the data
void add_softmax(std::vector<Mutant>& all);   // maximum and exponential
void add_shapes(std::vector<Mutant>& all);    // lengths, masks, batches, V

}  // namespace evoke::attention::blind
