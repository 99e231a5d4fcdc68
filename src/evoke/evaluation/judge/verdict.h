// What a list of paired times proves. Pure arithmetic: any verdict can be
// computed again from the stored pairs.
//
// A pair's log ratio is log(baseline / candidate): above 0 the candidate is
// the faster one. The statistic is the median of the log ratios, its interval
// a percentile bootstrap over pairs.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "evoke/core/measurements.h"

namespace evoke::judge {

// No difference below this is called one, however quiet the machine.
inline constexpr double kLeastEffect = 0.005;

struct LogRatioInterval {
  double median = 0;
  double low = 0;
  double high = 0;
};

// NaN throughout when there is no pair or a time that is not positive and
// finite. `seed` makes it repeatable.
LogRatioInterval log_ratio_interval(std::span<const TimedPair> pairs,
                                    double confidence, uint64_t seed);

// The fewest pairs whose interval can mean what `confidence` says: all of n
// pairs lie on one side of the truth with probability 2 / 2^n.
int least_pairs(double confidence);

// How far the median of `num_pairs` pairs strays when both sides are the same
// kernel: the 99th percentile of its absolute value over resamples of
// `same_kernel`. Each inner list is one race between fresh processes; whole
// races are resampled too, since a process has a bias of its own.
double minimum_effect(std::span<const std::vector<TimedPair>> same_kernel,
                      int num_pairs, uint64_t seed);

// The same for the weighted mean of several shapes' medians, their pairs
// resampled independently.
struct WeightedRaces {
  std::span<const std::vector<TimedPair>> races;
  double weight = 1;
};
double minimum_weighted_effect(std::span<const WeightedRaces> shapes,
                               int num_pairs, uint64_t seed);

// `faster` or `slower` only when the whole interval lies beyond
// max(minimum_effect, kLeastEffect); anything with NaN cannot tell.
SpeedVerdict verdict_of(const LogRatioInterval& interval,
                        double minimum_effect);

// Fills everything that follows from pairs, confidence and minimum_effect.
void summarize(ShapeMeasurement& shape);

// The interval of the weighted mean log ratio over several shapes, their
// pairs resampled independently. The median member is that mean.
LogRatioInterval weighted_interval(
    std::span<const ShapeMeasurement* const> shapes, double confidence,
    uint64_t seed);

}  // namespace evoke::judge
