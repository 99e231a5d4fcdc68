#include "evoke/core/measurements.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace evoke {
namespace {

ShapeMeasurement shape(double speedup, double low, double high,
                       double weight = 1.0) {
  ShapeMeasurement measurement;
  measurement.baseline = "seed";
  measurement.pairs = {{2.0, 1.0}};
  measurement.speedup = speedup;
  measurement.speedup_low = low;
  measurement.speedup_high = high;
  measurement.weight = weight;
  return measurement;
}

TEST(Fitness, OfOneShapeIsItsSpeedup) {
  const Fitness fitness = fitness_of({{shape(1.5, 1.4, 1.7)}, {}});
  EXPECT_NEAR(fitness.value, 1.5, 1e-12);
  EXPECT_NEAR(fitness.low, 1.4, 1e-12);
  EXPECT_NEAR(fitness.high, 1.7, 1e-12);
}

TEST(Fitness, IsTheWeightedGeometricMean) {
  // 2^(3/4) * 8^(1/4) = 2^1.5
  const Fitness fitness =
      fitness_of({{shape(2, 2, 2, 3), shape(8, 8, 8, 1)}, {}});
  EXPECT_NEAR(fitness.value, std::exp2(1.5), 1e-12);
  EXPECT_NEAR(fitness.low, fitness.value, 1e-12);
  EXPECT_NEAR(fitness.high, fitness.value, 1e-12);
}

TEST(Fitness, HalfWidthsAddAsSquares) {
  // Log half-widths 0.3 and 0.4 below, 0.6 and 0.8 above, equal weights.
  const Fitness fitness = fitness_of({{shape(1, std::exp(-0.3), std::exp(0.6)),
                                       shape(1, std::exp(-0.4), std::exp(0.8))},
                                      {}});
  EXPECT_NEAR(fitness.value, 1.0, 1e-12);
  EXPECT_NEAR(fitness.low, std::exp(-0.25), 1e-12);
  EXPECT_NEAR(fitness.high, std::exp(0.5), 1e-12);
}

TEST(Fitness, LooksAtColdMeasurementsAgainstTheFirstBaseline) {
  ShapeMeasurement warm = shape(100, 100, 100);
  warm.cache_state = CacheState::warm;
  warm.baseline = "other";
  ShapeMeasurement other = shape(50, 50, 50);
  other.baseline = "mlx";
  const Fitness fitness =
      fitness_of({{warm, shape(2, 1.9, 2.1), other, shape(2, 2, 2)}, {}});
  EXPECT_NEAR(fitness.value, 2.0, 1e-12);
}

TEST(Fitness, IsZeroUnlessEveryShapeWasMeasured) {
  EXPECT_EQ(fitness_of({}).value, 0.0);
  ShapeMeasurement unmeasured = shape(9, 9, 9);
  unmeasured.pairs.clear();
  EXPECT_EQ(fitness_of({{shape(2, 2, 2), unmeasured}, {}}).value, 0.0);
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (const double bad : {0.0, -1.0, kNan, kInfinity}) {
    EXPECT_EQ(fitness_of({{shape(2, 2, 2), shape(bad, 1, 1)}, {}}).value, 0.0);
  }
  EXPECT_EQ(fitness_of({{shape(2, 2, 2, -1)}, {}}).value, 0.0);
  EXPECT_EQ(fitness_of({{shape(2, 2, 2, 0)}, {}}).value, 0.0);
  ShapeMeasurement warm = shape(2, 2, 2);
  warm.cache_state = CacheState::warm;
  EXPECT_EQ(fitness_of({{warm}, {}}).value, 0.0);
}

TEST(Fitness, TheSameCodeIsAResultWithoutPairs) {
  ShapeMeasurement same = shape(1, 1, 1);
  same.pairs.clear();
  same.same_code = true;
  const Fitness fitness = fitness_of({{shape(4, 2, 8), same}, {}});
  EXPECT_NEAR(fitness.value, 2.0, 1e-12);
  EXPECT_NEAR(fitness.low, std::sqrt(2), 1e-12);
}

TEST(Fitness, ShapesWithoutWeightDoNotCount) {
  const Fitness fitness = fitness_of({{shape(2, 2, 2), shape(9, 0, 9, 0)}, {}});
  EXPECT_NEAR(fitness.value, 2.0, 1e-12);
  EXPECT_NEAR(fitness.low, 2.0, 1e-12);
}

TEST(Fitness, AnIntervalThatReachesZeroStaysOne) {
  const Fitness fitness = fitness_of({{shape(2, 0, 3)}, {}});
  EXPECT_NEAR(fitness.value, 2.0, 1e-12);
  EXPECT_EQ(fitness.low, 0.0);
}

TEST(SpeedVerdict, HasWords) {
  EXPECT_EQ(to_string(SpeedVerdict::faster), "faster");
  EXPECT_EQ(to_string(SpeedVerdict::slower), "slower");
  EXPECT_EQ(to_string(SpeedVerdict::cannot_tell), "cannot tell");
}

}  // namespace
}  // namespace evoke
