#include "evoke/evolution/score.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace evoke {
namespace {

// Standard errors in a 95 % interval's half, and in an MDE, which noise stays
// within 99 times in 100.
constexpr double kErrorsInInterval = 1.96;
constexpr double kErrorsInEffect = 2.58;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// What the ranked shapes say beside the fitness: those raced cold against the
// first baseline.
void add_shapes(const Measurements& measurements, Score& score) {
  const std::string* baseline = nullptr;
  double weights = 0;
  double effects = 0;
  double raced = 0;
  for (const ShapeMeasurement& shape : measurements.shapes) {
    if (shape.cache_state != CacheState::cold) continue;
    if (!baseline) baseline = &shape.baseline;
    if (shape.baseline != *baseline || !(shape.weight > 0)) continue;
    weights += shape.weight;
    effects += shape.weight * shape.minimum_effect;
    if (!shape.same_code) raced += shape.weight;
  }
  if (!(weights > 0)) return;
  // Errors of the shapes may share a cause, so their MDEs are averaged by
  // weight and not added as squares.
  const double effect = effects / weights;
  score.minimum_effect = effect >= 0 ? effect : kInfinity;  // NaN too
  score.raced = raced / weights;
}

}  // namespace

Fitness Score::fitness() const {
  return {std::exp(log_value), std::exp(log_value - below),
          std::exp(log_value + above)};
}

std::optional<Score> score_of(const Outcome& outcome) {
  if (!outcome.ranked()) return std::nullopt;
  const Fitness& fitness = *outcome.fitness;
  if (!(fitness.value > 0) || !std::isfinite(fitness.value)) {
    return std::nullopt;
  }
  Score score;
  score.log_value = std::log(fitness.value);
  score.below = score.log_value - std::log(fitness.low);
  score.above = std::log(fitness.high) - score.log_value;
  if (!(score.below >= 0)) score.below = kInfinity;
  if (!(score.above >= 0)) score.above = kInfinity;
  score.measurements = 1;
  if (outcome.measurements) add_shapes(*outcome.measurements, score);
  return score;
}

Score combined(const Score& a, const Score& b) {
  const double total = a.measurements + b.measurements;
  if (!(total > 0)) return a;
  const double share_a = a.measurements / total;
  const double share_b = b.measurements / total;
  Score mean;
  mean.log_value = share_a * a.log_value + share_b * b.log_value;
  mean.below = std::hypot(share_a * a.below, share_b * b.below);
  mean.above = std::hypot(share_a * a.above, share_b * b.above);
  mean.minimum_effect =
      std::hypot(share_a * a.minimum_effect, share_b * b.minimum_effect);
  mean.measurements = a.measurements + b.measurements;
  mean.raced = std::max(a.raced, b.raced);
  return mean;
}

double noise_limit(const Score& higher, const Score& lower, double floor) {
  const double effect = std::hypot(higher.minimum_effect, lower.minimum_effect);
  const double interval = std::hypot(higher.below, lower.above);
  const double raced = std::min(higher.raced + lower.raced, 1.0);
  return std::max(
      {floor * raced, effect / kErrorsInEffect, interval / kErrorsInInterval});
}

bool beyond_noise(const Score& challenger, const Score& holder, double floor) {
  return challenger.log_value - holder.log_value >
         noise_limit(challenger, holder, floor);
}

}  // namespace evoke
