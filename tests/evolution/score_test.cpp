#include "evoke/evolution/score.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace evoke {
namespace {

Outcome measured(double value, double low, double high) {
  Outcome outcome;
  outcome.kind = OutcomeKind::measured;
  outcome.fitness = Fitness{value, low, high};
  return outcome;
}

TEST(Score, OnlyRankedOutcomesHaveOne) {
  for (std::size_t i = 0; i < kNumOutcomeKinds; ++i) {
    Outcome outcome = measured(1.5, 1.4, 1.6);
    outcome.kind = static_cast<OutcomeKind>(i);
    const bool ranked = outcome.kind == OutcomeKind::measured ||
                        outcome.kind == OutcomeKind::confirmed;
    EXPECT_EQ(score_of(outcome).has_value(), ranked) << to_string(outcome.kind);
  }
  Outcome without;
  without.kind = OutcomeKind::measured;
  EXPECT_FALSE(score_of(without).has_value());
}

TEST(Score, NumbersThatAreNoneHaveNoRank) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (const double value : {0.0, -1.0, kNan, kInfinity, -kInfinity}) {
    EXPECT_FALSE(score_of(measured(value, value, value)).has_value()) << value;
  }
}

TEST(Score, AnIntervalThatMakesNoSenseIsInfinitelyWide) {
  const auto sound = score_of(measured(1, 0.9, 1.2));
  EXPECT_NEAR(sound->below, -std::log(0.9), 1e-12);
  EXPECT_NEAR(sound->above, std::log(1.2), 1e-12);
  const auto good = *score_of(measured(1000, 999, 1001));
  for (const auto& [low, high] :
       {std::pair{std::nan(""), std::nan("")}, {0.0, 0.0}, {2.0, 0.5}}) {
    const auto odd = *score_of(measured(1, low, high));
    EXPECT_TRUE(std::isinf(odd.below) || std::isinf(odd.above));
    EXPECT_FALSE(beyond_noise(odd, good, 0));
  }
}

TEST(Score, TheMdeIsThatOfTheRankedShapes) {
  Outcome outcome = measured(1, 1, 1);
  Measurements measurements;
  ShapeMeasurement shape;
  shape.baseline = "mlx";
  shape.weight = 3;
  shape.minimum_effect = 0.01;
  measurements.shapes.push_back(shape);
  shape.weight = 1;
  shape.minimum_effect = 0.05;
  measurements.shapes.push_back(shape);
  shape.minimum_effect = 10;  // neither warm ones nor other baselines count
  shape.cache_state = CacheState::warm;
  measurements.shapes.push_back(shape);
  shape.cache_state = CacheState::cold;
  shape.baseline = "other";
  measurements.shapes.push_back(shape);
  outcome.measurements = measurements;
  EXPECT_DOUBLE_EQ(score_of(outcome)->minimum_effect, 0.02);

  outcome.measurements->shapes[0].minimum_effect = std::nan("");
  EXPECT_TRUE(std::isinf(score_of(outcome)->minimum_effect))
      << "an unknown MDE allows no claim";
}

TEST(Score, BeyondNoiseMeansBeyondFloorMdeAndInterval) {
  const Score holder{0, 0.03, 0.03, 0.01, 1};
  const auto beats = [&](double log_value, double below, double effect) {
    return beyond_noise({log_value, below, below, effect, 1}, holder, 0.005);
  };
  // Halves of 3 and 4 %: 5 % of the difference, 2.55 % one standard error.
  EXPECT_TRUE(beats(0.026, 0.04, 0.01));
  EXPECT_FALSE(beats(0.025, 0.04, 0.01)) << "inside the interval";
  EXPECT_TRUE(beats(0.04, 0.0, 0.1));
  EXPECT_FALSE(beats(0.038, 0.0, 0.1)) << "below the MDE";
  const Score exact{0, 0, 0, 0, 1};
  EXPECT_FALSE(beyond_noise({0.004, 0, 0, 0, 1}, exact, 0.005));
  EXPECT_TRUE(beyond_noise({0.006, 0, 0, 0, 1}, exact, 0.005));
  EXPECT_FALSE(beyond_noise({std::nan(""), 0, 0, 0, 1}, exact, 0.005));
}

// 2 % at one of four shapes is 0.5 % in the mean; the other three are exact.
TEST(Score, TheFloorIsForWhatWasRaced) {
  Outcome outcome = measured(1.005, 1.004, 1.006);
  Measurements measurements;
  ShapeMeasurement shape;
  shape.weight = 1;
  shape.minimum_effect = 0.004;
  measurements.shapes.push_back(shape);
  shape.minimum_effect = 0;
  shape.same_code = true;
  for (int i = 0; i < 3; ++i) measurements.shapes.push_back(shape);
  outcome.measurements = measurements;
  const Score one = *score_of(outcome);
  EXPECT_DOUBLE_EQ(one.raced, 0.25);
  const Score itself{0, 0, 0, 0, 1, 0};
  EXPECT_TRUE(beyond_noise(one, itself, 0.01));
  EXPECT_FALSE(beyond_noise(one, itself, 0.03));
  const Score elsewhere{0, 0, 0, 0, 1, 0.25};
  EXPECT_FALSE(beyond_noise(one, elsewhere, 0.01)) << "they may share no shape";
  EXPECT_DOUBLE_EQ(combined(elsewhere, itself).raced, 0.25);
}

TEST(Score, MeasuringAgainNarrowsTheNoise) {
  const Score first{0.10, 0.02, 0.04, 0.01, 1};
  const Score second{0.04, 0.02, 0.04, 0.01, 1};
  const Score both = combined(first, second);
  EXPECT_DOUBLE_EQ(both.log_value, 0.07);
  EXPECT_NEAR(both.below, 0.02 / std::sqrt(2), 1e-12);
  EXPECT_NEAR(both.minimum_effect, 0.01 / std::sqrt(2), 1e-12);
  EXPECT_EQ(both.measurements, 2);
  const Score three = combined(both, {0.01, 0.02, 0.04, 0.01, 1});
  EXPECT_NEAR(three.log_value, 0.05, 1e-12);
  EXPECT_NEAR(three.below, 0.02 / std::sqrt(3), 1e-12);
}

TEST(Score, RanksByValueThenAge) {
  EXPECT_TRUE((RankKey{2, 9} < RankKey{1, 1}));
  EXPECT_TRUE((RankKey{1, 1} < RankKey{1, 2}));
  EXPECT_FALSE((RankKey{1, 2} < RankKey{1, 2}));
}

}  // namespace
}  // namespace evoke
