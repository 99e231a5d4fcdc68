// A fitness with its uncertainty, as the search compares it: in logarithms,
// so that a difference of two is the log of a speed-up ratio.
#pragma once

#include <optional>

#include "evoke/core/outcome.h"

namespace evoke {

struct Score {
  double log_value = 0;
  double below = 0;           // half-widths of the interval, >= 0
  double above = 0;           //
  double minimum_effect = 0;  // MDE of one such score, as a log ratio
  int measurements = 0;       // how many it is the mean of
  // Share of the weight that was raced: elsewhere it is the same code as what
  // it was measured against, and that is exact.
  double raced = 1;

  Fitness fitness() const;
  bool operator==(const Score&) const = default;
};

// nullopt when the outcome carries no rank: every failure, and a fitness that
// is not a positive finite number. An interval that is missing or that does
// not hold the value is taken as infinitely wide.
std::optional<Score> score_of(const Outcome& outcome);

// The mean of two scores of one candidate, weighted by their measurements;
// independent errors shrink accordingly.
Score combined(const Score& a, const Score& b);

// What noise alone makes of the log ratio between two equal kernels, one
// standard error of it: from both MDEs or from both intervals, whichever is
// more, and at least `floor` over the share of the weight that either raced.
double noise_limit(const Score& higher, const Score& lower, double floor);

// Whether `challenger` is greater than `holder` by more than that: then five
// times in six it is better indeed. That is enough to search on, and to claim
// nothing.
bool beyond_noise(const Score& challenger, const Score& holder, double floor);

// Order of elites: greater score first, then the older candidate.
struct RankKey {
  double log_value = 0;
  CandidateId id = 0;
  bool operator<(const RankKey& other) const {
    if (log_value != other.log_value) return log_value > other.log_value;
    return id < other.id;
  }
};

}  // namespace evoke
