#include "evoke/evaluation/judge/verdict.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>

#include "evoke/base/hash.h"
#include "evoke/base/rng.h"

namespace evoke::judge {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kMinimumEffectQuantile = 0.99;

double log_ratio(const TimedPair& pair) {
  const bool usable = pair.baseline_us > 0 && pair.candidate_us > 0 &&
                      std::isfinite(pair.baseline_us) &&
                      std::isfinite(pair.candidate_us);
  return usable ? std::log(pair.baseline_us / pair.candidate_us) : kNaN;
}

// Empty when any is not a number.
std::vector<double> log_ratios(std::span<const TimedPair> pairs) {
  std::vector<double> ratios;
  ratios.reserve(pairs.size());
  for (const TimedPair& pair : pairs) {
    ratios.push_back(log_ratio(pair));
    if (std::isnan(ratios.back())) return {};
  }
  return ratios;
}

// Reorders its argument, which must not be empty.
double median_of(std::vector<double>& values) {
  const auto middle =
      values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

// Between the two nearest of the sorted values.
double quantile(const std::vector<double>& sorted, double share) {
  const double at = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  const double part = at - static_cast<double>(below);
  return sorted[below] + part * (sorted[above] - sorted[below]);
}

double resampled_median(const std::vector<double>& values, std::size_t count,
                        Rng& rng, std::vector<double>& sample) {
  sample.resize(count);
  for (double& each : sample) each = values[rng.below(values.size())];
  return median_of(sample);
}

// Enough that about 50 of them lie beyond each end.
int resamples_for(double confidence) {
  return std::clamp(static_cast<int>(100 / (1 - confidence)), 2000, 100'000);
}

LogRatioInterval interval_of(std::vector<double>& statistics, double value,
                             double confidence) {
  std::sort(statistics.begin(), statistics.end());
  const double tail = (1 - confidence) / 2;
  return {value, quantile(statistics, tail), quantile(statistics, 1 - tail)};
}

double median_time(std::span<const TimedPair> pairs, double TimedPair::* side) {
  std::vector<double> times;
  for (const TimedPair& pair : pairs) times.push_back(pair.*side);
  return times.empty() ? 0 : median_of(times);
}

}  // namespace

LogRatioInterval log_ratio_interval(std::span<const TimedPair> pairs,
                                    double confidence, uint64_t seed) {
  std::vector<double> ratios = log_ratios(pairs);
  if (ratios.empty()) return {kNaN, kNaN, kNaN};
  Rng rng(seed);
  std::vector<double> sample;
  std::vector<double> medians(
      static_cast<std::size_t>(resamples_for(confidence)));
  for (double& each : medians) {
    each = resampled_median(ratios, ratios.size(), rng, sample);
  }
  return interval_of(medians, median_of(ratios), confidence);
}

int least_pairs(double confidence) {
  const double pairs = std::ceil(std::log2(2 / (1 - confidence)));
  return pairs >= 1 && pairs <= 1000 ? static_cast<int>(pairs) : 1000;
}

double minimum_effect(std::span<const std::vector<TimedPair>> same_kernel,
                      int num_pairs, uint64_t seed) {
  const WeightedRaces alone{same_kernel, 1};
  return minimum_weighted_effect({&alone, 1}, num_pairs, seed);
}

double minimum_weighted_effect(std::span<const WeightedRaces> shapes,
                               int num_pairs, uint64_t seed) {
  std::vector<std::vector<std::vector<double>>> ratios;  // shape, race, pair
  double weights = 0;
  for (const WeightedRaces& shape : shapes) {
    ratios.emplace_back();
    for (const auto& race : shape.races) {
      ratios.back().push_back(log_ratios(race));
      if (ratios.back().back().empty()) return kNaN;
    }
    if (ratios.back().empty()) return kNaN;
    weights += shape.weight;
  }
  if (!(weights > 0) || num_pairs < 1) return kNaN;
  Rng rng(seed);
  constexpr int kResamples = 4000;
  std::vector<double> sample;
  std::vector<double> effects;
  for (int i = 0; i < kResamples; ++i) {
    double mean = 0;
    for (std::size_t s = 0; s < shapes.size(); ++s) {
      const std::vector<double>& race = ratios[s][rng.below(ratios[s].size())];
      mean += shapes[s].weight / weights *
              resampled_median(race, static_cast<std::size_t>(num_pairs), rng,
                               sample);
    }
    effects.push_back(std::abs(mean));
  }
  std::sort(effects.begin(), effects.end());
  return quantile(effects, kMinimumEffectQuantile);
}

SpeedVerdict verdict_of(const LogRatioInterval& interval,
                        double minimum_effect) {
  const double limit = std::max(kLeastEffect, minimum_effect);
  if (!(minimum_effect >= 0)) return SpeedVerdict::cannot_tell;
  if (interval.low > limit && interval.high >= interval.low) {
    return SpeedVerdict::faster;
  }
  if (interval.high < -limit && interval.low <= interval.high) {
    return SpeedVerdict::slower;
  }
  return SpeedVerdict::cannot_tell;
}

void summarize(ShapeMeasurement& shape) {
  const uint64_t seed = hash_u64(shape.shape + "/" + shape.baseline);
  const LogRatioInterval interval =
      log_ratio_interval(shape.pairs, shape.confidence, seed);
  shape.candidate_us = median_time(shape.pairs, &TimedPair::candidate_us);
  shape.baseline_us = median_time(shape.pairs, &TimedPair::baseline_us);
  shape.speedup = std::exp(interval.median);
  shape.speedup_low = std::exp(interval.low);
  shape.speedup_high = std::exp(interval.high);
  shape.verdict = verdict_of(interval, shape.minimum_effect);
}

LogRatioInterval weighted_interval(
    std::span<const ShapeMeasurement* const> shapes, double confidence,
    uint64_t seed) {
  std::vector<std::vector<double>> ratios;
  double weights = 0;
  double value = 0;
  for (const ShapeMeasurement* shape : shapes) {
    ratios.push_back(shape->same_code ? std::vector<double>{0}
                                      : log_ratios(shape->pairs));
    if (ratios.back().empty() || !(shape->weight >= 0)) {
      return {kNaN, kNaN, kNaN};
    }
    weights += shape->weight;
    value += shape->weight * median_of(ratios.back());
  }
  if (!(weights > 0)) return {kNaN, kNaN, kNaN};
  Rng rng(seed);
  std::vector<double> sample;
  std::vector<double> means(
      static_cast<std::size_t>(resamples_for(confidence)));
  for (double& mean : means) {
    mean = 0;
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      mean += shapes[i]->weight *
              resampled_median(ratios[i], ratios[i].size(), rng, sample);
    }
    mean /= weights;
  }
  return interval_of(means, value / weights, confidence);
}

}  // namespace evoke::judge
