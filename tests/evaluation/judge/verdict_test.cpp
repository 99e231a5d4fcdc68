#include "evoke/evaluation/judge/verdict.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <numeric>
#include <vector>

#include "evoke/base/rng.h"
#include "evoke/core/outcome.h"

namespace evoke::judge {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// What a machine does to times: noise of each pair, now and then a pair that
// was disturbed, and a bias of each process (where its memory came to lie).
struct Noise {
  double pair = 0.01;
  double process = 0;
  double disturbed = 0.05;  // chance; the noise is then 8 times as large
};

// A race of a candidate that is exp(effect) times as quick.
std::vector<TimedPair> simulate(int num_pairs, double effect,
                                const Noise& noise, Rng& rng) {
  const double bias = noise.process * rng.normal();
  std::vector<TimedPair> pairs;
  for (int i = 0; i < num_pairs; ++i) {
    const double size = noise.pair * (rng.chance(noise.disturbed) ? 8 : 1);
    TimedPair pair;
    pair.candidate_us = 100 * std::exp(0.05 * rng.normal());
    pair.baseline_us =
        pair.candidate_us * std::exp(effect + bias + size * rng.normal());
    pairs.push_back(pair);
  }
  return pairs;
}

std::vector<std::vector<TimedPair>> simulate_same_kernel(int num_races,
                                                         const Noise& noise,
                                                         Rng& rng) {
  std::vector<std::vector<TimedPair>> races;
  for (int i = 0; i < num_races; ++i) {
    races.push_back(simulate(12, 0, noise, rng));
  }
  return races;
}

ShapeMeasurement measured(std::vector<TimedPair> pairs, double weight = 1) {
  ShapeMeasurement shape;
  shape.shape = "decode-256";
  shape.baseline = "reference";
  shape.pairs = std::move(pairs);
  shape.weight = weight;
  return shape;
}

TEST(LogRatioInterval, IsTheMedianOfTheLogRatios) {
  const std::vector<TimedPair> pairs{{2, 1}, {3, 1}, {100, 1}};
  const auto interval = log_ratio_interval(pairs, 0.95, 1);
  EXPECT_DOUBLE_EQ(interval.median, std::log(3));
  EXPECT_LE(interval.low, interval.median);
  EXPECT_GE(interval.high, interval.median);
  const auto even = log_ratio_interval(std::span(pairs).first(2), 0.95, 1);
  EXPECT_NEAR(even.median, (std::log(2) + std::log(3)) / 2, 1e-12);
}

TEST(LogRatioInterval, OnePairIsItsOwnInterval) {
  const std::vector<TimedPair> pairs{{2, 1}};
  const auto interval = log_ratio_interval(pairs, 0.999, 1);
  EXPECT_DOUBLE_EQ(interval.low, std::log(2));
  EXPECT_DOUBLE_EQ(interval.high, std::log(2));
}

TEST(LogRatioInterval, IsTheSameForTheSameSeed) {
  Rng rng(1);
  const auto pairs = simulate(20, 0.02, {}, rng);
  const auto one = log_ratio_interval(pairs, 0.95, 7);
  const auto two = log_ratio_interval(pairs, 0.95, 7);
  EXPECT_EQ(one.low, two.low);
  EXPECT_EQ(one.high, two.high);
}

TEST(LogRatioInterval, WidensWithConfidence) {
  Rng rng(2);
  for (int i = 0; i < 20; ++i) {
    const auto pairs = simulate(20, 0, {}, rng);
    const auto narrow = log_ratio_interval(pairs, 0.9, 3);
    const auto wide = log_ratio_interval(pairs, 0.999, 3);
    EXPECT_LE(wide.low, narrow.low);
    EXPECT_GE(wide.high, narrow.high);
  }
}

TEST(LogRatioInterval, OneTimeThatIsNoTimeSpoilsAll) {
  for (const double wrong : {0.0, -1.0, kNaN, kInfinity, -kInfinity}) {
    for (const TimedPair bad : {TimedPair{wrong, 1}, TimedPair{1, wrong}}) {
      std::vector<TimedPair> pairs(9, {2, 1});
      pairs.push_back(bad);
      const auto interval = log_ratio_interval(pairs, 0.95, 1);
      EXPECT_TRUE(std::isnan(interval.median)) << wrong;
      EXPECT_TRUE(std::isnan(interval.low)) << wrong;
      EXPECT_TRUE(std::isnan(interval.high)) << wrong;
      EXPECT_EQ(verdict_of(interval, 0), SpeedVerdict::cannot_tell);
    }
  }
  EXPECT_TRUE(std::isnan(log_ratio_interval({}, 0.95, 1).median));
}

// The stated confidence is kept, and not by intervals that are merely wide.
TEST(LogRatioInterval, CoversTheTruthAsOftenAsItSays) {
  struct Case {
    int pairs;
    double confidence;
    double least;
    double most;
  };
  for (const Case& each :
       {Case{8, 0.95, 0.90, 0.995}, Case{20, 0.95, 0.92, 0.985},
        Case{40, 0.99, 0.97, 1.0}}) {
    Rng rng(42);
    constexpr int kRaces = 300;
    constexpr double kEffect = 0.03;
    int covered = 0;
    double width = 0;
    for (int i = 0; i < kRaces; ++i) {
      const auto pairs = simulate(each.pairs, kEffect, {}, rng);
      const auto interval =
          log_ratio_interval(pairs, each.confidence, rng.next());
      if (interval.low <= kEffect && kEffect <= interval.high) ++covered;
      width += (interval.high - interval.low) / kRaces;
    }
    const double share = static_cast<double>(covered) / kRaces;
    EXPECT_GE(share, each.least) << each.pairs;
    EXPECT_LE(share, each.most) << each.pairs;
    // A median of n pairs of 1 % noise strays 1.25 % / sqrt(n); the interval
    // is four to eight times that.
    EXPECT_LT(width, 8 * 0.0125 / std::sqrt(each.pairs)) << each.pairs;
  }
}

TEST(LeastPairs, AreAsManyAsTheConfidenceNeeds) {
  EXPECT_EQ(least_pairs(0.5), 2);
  EXPECT_EQ(least_pairs(0.95), 6);
  EXPECT_EQ(least_pairs(0.99), 8);
  EXPECT_EQ(least_pairs(0.999), 11);
  EXPECT_GE(least_pairs(1.0), 1000);
  EXPECT_GE(least_pairs(kNaN), 1000);
}

TEST(VerdictOf, NeedsTheWholeIntervalBeyondTheLimit) {
  const auto verdict = [](double low, double high, double effect) {
    return verdict_of({(low + high) / 2, low, high}, effect);
  };
  EXPECT_EQ(verdict(0.011, 0.02, 0.01), SpeedVerdict::faster);
  EXPECT_EQ(verdict(0.01, 0.02, 0.01), SpeedVerdict::cannot_tell);
  EXPECT_EQ(verdict(0.0, 0.02, 0.01), SpeedVerdict::cannot_tell);
  EXPECT_EQ(verdict(-0.02, 0.02, 0.01), SpeedVerdict::cannot_tell);
  EXPECT_EQ(verdict(-0.02, -0.01, 0.01), SpeedVerdict::cannot_tell);
  EXPECT_EQ(verdict(-0.02, -0.011, 0.01), SpeedVerdict::slower);
}

TEST(VerdictOf, NothingBelowTheLeastEffectIsADifference) {
  EXPECT_EQ(verdict_of({0.004, 0.003, 0.0049}, 0), SpeedVerdict::cannot_tell);
  EXPECT_EQ(verdict_of({-0.004, -0.0049, -0.003}, 0),
            SpeedVerdict::cannot_tell);
  EXPECT_EQ(verdict_of({0.006, 0.0051, 0.007}, 0), SpeedVerdict::faster);
}

TEST(VerdictOf, NaNNeverWinsAndNeverLoses) {
  for (const double low : {kNaN, 0.5, -0.5}) {
    for (const double high : {kNaN, 0.5, -0.5}) {
      for (const double effect : {kNaN, -1.0, 0.01}) {
        const bool usable = !std::isnan(low) && !std::isnan(high) &&
                            effect >= 0 && low <= high && low * high > 0;
        if (usable) continue;
        EXPECT_EQ(verdict_of({0.5, low, high}, effect),
                  SpeedVerdict::cannot_tell)
            << low << " " << high << " " << effect;
      }
    }
  }
}

// Whoever is called the candidate: what is faster one way is slower the
// other way.
TEST(VerdictOf, IsTheMirrorImageWhenSidesChange) {
  Rng rng(5);
  int told = 0;
  for (int i = 0; i < 200; ++i) {
    const double effect = 0.03 * (rng.uniform() * 2 - 1);
    const auto pairs = simulate(8, effect, {}, rng);
    std::vector<TimedPair> mirrored;
    for (const TimedPair& pair : pairs) {
      mirrored.push_back({pair.candidate_us, pair.baseline_us});
    }
    const auto one = verdict_of(log_ratio_interval(pairs, 0.95, 1), 0.01);
    const auto two = verdict_of(log_ratio_interval(mirrored, 0.95, 1), 0.01);
    EXPECT_EQ(one == SpeedVerdict::faster, two == SpeedVerdict::slower);
    EXPECT_EQ(one == SpeedVerdict::slower, two == SpeedVerdict::faster);
    if (one != SpeedVerdict::cannot_tell) ++told;
  }
  EXPECT_GT(told, 20);
  EXPECT_LT(told, 180);
}

// Of normal noise the median of n pairs strays by 1.2533 sigma / sqrt(n), and
// by 2.576 times that once in a hundred.
TEST(MinimumEffect, IsWhatKnownNoiseDoes) {
  Noise noise;
  noise.disturbed = 0;
  for (const int num_pairs : {8, 40}) {
    Rng rng(11);
    std::vector<std::vector<TimedPair>> races;
    for (int i = 0; i < 40; ++i) {
      races.push_back(simulate(50, 0, noise, rng));
    }
    const double expected =
        2.576 * 1.2533 * noise.pair / std::sqrt(static_cast<double>(num_pairs));
    const double effect = minimum_effect(races, num_pairs, 1);
    EXPECT_GT(effect, 0.7 * expected) << num_pairs;
    EXPECT_LT(effect, 1.5 * expected) << num_pairs;
  }
}

// More pairs wear the noise of pairs away, but not a process's bias.
TEST(MinimumEffect, KeepsTheBiasOfProcesses) {
  Noise noise;
  noise.process = 0.03;
  noise.pair = 0.002;
  Rng rng(12);
  const auto races = simulate_same_kernel(3, noise, rng);
  double largest = 0;
  for (const auto& race : races) {
    largest =
        std::max(largest, std::abs(log_ratio_interval(race, 0.95, 1).median));
  }
  EXPECT_GT(minimum_effect(races, 1000, 1), 0.9 * largest);
}

TEST(MinimumEffect, IsUnknownWithoutUsableRaces) {
  EXPECT_TRUE(std::isnan(minimum_effect({}, 8, 1)));
  const std::vector<std::vector<TimedPair>> one_empty{{{1, 1}}, {}};
  EXPECT_TRUE(std::isnan(minimum_effect(one_empty, 8, 1)));
  const std::vector<std::vector<TimedPair>> bad{{{1, 0}}};
  EXPECT_TRUE(std::isnan(minimum_effect(bad, 8, 1)));
  const std::vector<std::vector<TimedPair>> good{{{1, 1}}};
  EXPECT_TRUE(std::isnan(minimum_effect(good, 0, 1)));
  EXPECT_EQ(minimum_effect(good, 8, 1), 0);
}

// A whole campaign's worth of races of a kernel against itself, each machine
// with a minimum effect of its own measurement.
double false_positive_rate(const Noise& noise, int num_pairs, double confidence,
                           int num_machines) {
  Rng rng(77);
  constexpr int kRaces = 10;
  int wrong = 0;
  for (int machine = 0; machine < num_machines; ++machine) {
    const auto same = simulate_same_kernel(3, noise, rng);
    const double effect = minimum_effect(same, num_pairs, 1);
    for (int i = 0; i < kRaces; ++i) {
      const auto pairs = simulate(num_pairs, 0, noise, rng);
      const auto interval = log_ratio_interval(pairs, confidence, rng.next());
      if (verdict_of(interval, effect) != SpeedVerdict::cannot_tell) ++wrong;
    }
  }
  return static_cast<double>(wrong) / (num_machines * kRaces);
}

TEST(Simulation, TheSameKernelIsRarelyCalledFaster) {
  EXPECT_LE(false_positive_rate({}, 8, 0.95, 100), 0.01);
  EXPECT_EQ(false_positive_rate({}, 40, 0.999, 3), 0);
  Noise quiet;
  quiet.pair = 0.001;
  EXPECT_EQ(false_positive_rate(quiet, 8, 0.95, 50), 0);
}

// Three races tell little about how much processes differ. Where that is no
// more than the noise of pairs, few differences are seen that are not there;
// docs/measuring.md has what this prints for the rest.
TEST(Simulation, ProcessesMayDifferAsMuchAsPairsDo) {
  for (const double process : {0.0, 0.002, 0.005, 0.01}) {
    Noise noise;
    noise.pair = 0.002;
    noise.process = process;
    const double rate = false_positive_rate(noise, 8, 0.95, 200);
    std::printf(
        "processes differ by %.1f %%, pairs by %.1f %%: %.1f %% of "
        "2000 races of a kernel against itself told a difference\n",
        100 * process, 100 * noise.pair, 100 * rate);
    if (process <= noise.pair) {
      EXPECT_LE(rate, 0.01);
    }
  }
}

double power(double effect, const Noise& noise, int num_pairs,
             double confidence, int num_races) {
  Rng rng(78);
  int found = 0;
  for (int i = 0; i < num_races; ++i) {
    const auto same = simulate_same_kernel(3, noise, rng);
    const auto pairs = simulate(num_pairs, effect, noise, rng);
    const auto interval = log_ratio_interval(pairs, confidence, rng.next());
    if (verdict_of(interval, minimum_effect(same, num_pairs, 1)) ==
        SpeedVerdict::faster) {
      ++found;
    }
  }
  return static_cast<double>(found) / num_races;
}

TEST(Simulation, RealDifferencesAreFound) {
  EXPECT_GE(power(0.05, {}, 8, 0.95, 200), 0.9);
  EXPECT_GE(power(0.03, {}, 40, 0.999, 20), 0.9);
  EXPECT_GE(power(std::log(20), {}, 3, 0.95, 100), 0.99);
}

// A difference of half a percent drowns in one percent of noise: the verdict
// must admit it.
TEST(Simulation, SmallDifferencesAreNotClaimed) {
  EXPECT_LE(power(0.005, {}, 8, 0.95, 200), 0.05);
}

TEST(Summarize, FillsWhatFollowsFromThePairs) {
  ShapeMeasurement shape = measured({{20, 10}, {22, 11}, {30, 10}});
  shape.minimum_effect = 0.01;
  shape.confidence = 0.95;
  summarize(shape);
  EXPECT_DOUBLE_EQ(shape.candidate_us, 10);
  EXPECT_DOUBLE_EQ(shape.baseline_us, 22);
  EXPECT_NEAR(shape.speedup, 2, 1e-12);
  EXPECT_NEAR(shape.speedup_low, 2, 1e-12);
  EXPECT_NEAR(shape.speedup_high, 3, 1e-12);
  EXPECT_EQ(shape.verdict, SpeedVerdict::faster);
}

TEST(Summarize, WithoutPairsNothingIsClaimed) {
  ShapeMeasurement shape = measured({});
  summarize(shape);
  EXPECT_EQ(shape.verdict, SpeedVerdict::cannot_tell);
  EXPECT_TRUE(std::isnan(shape.speedup));
  EXPECT_EQ(shape.candidate_us, 0);
}

// What the store keeps is enough to come to the same verdict again.
TEST(Summarize, StoredPairsGiveTheSameVerdictAgain) {
  Rng rng(9);
  for (int i = 0; i < 20; ++i) {
    ShapeMeasurement shape = measured(simulate(8, 0.02, {}, rng));
    shape.minimum_effect = 0.012;
    shape.confidence = 0.95;
    summarize(shape);
    Measurements measurements;
    measurements.shapes = {shape};
    const auto read =
        measurements_from_json(Json::parse(to_json(measurements).dump()));
    ASSERT_TRUE(read) << read.error().message;
    ShapeMeasurement again = read->shapes.at(0);
    again.candidate_us = again.baseline_us = again.speedup = 0;
    again.speedup_low = again.speedup_high = 0;
    again.verdict = SpeedVerdict::slower;
    summarize(again);
    EXPECT_EQ(again.verdict, shape.verdict);
    EXPECT_EQ(again.speedup, shape.speedup);
    EXPECT_EQ(again.speedup_low, shape.speedup_low);
    EXPECT_EQ(again.speedup_high, shape.speedup_high);
    EXPECT_EQ(again.candidate_us, shape.candidate_us);
    EXPECT_EQ(again.baseline_us, shape.baseline_us);
  }
}

TEST(WeightedInterval, IsTheWeightedMeanOfMedians) {
  const auto slow = measured({{1, 2}, {1, 2}, {1, 2}}, 1);
  const auto quick = measured({{4, 1}, {4, 1}, {4, 1}}, 3);
  const std::vector<const ShapeMeasurement*> both{&slow, &quick};
  const auto interval = weighted_interval(both, 0.95, 1);
  const double expected = (-std::log(2) + 3 * std::log(4)) / 4;
  EXPECT_NEAR(interval.median, expected, 1e-12);
  EXPECT_NEAR(interval.low, expected, 1e-12);
  EXPECT_NEAR(interval.high, expected, 1e-12);
}

TEST(WeightedInterval, ShapesWithoutWeightDoNotCount) {
  Rng rng(3);
  const auto one = measured(simulate(20, 0.02, {}, rng), 2);
  const auto secret = measured(simulate(20, -3, {}, rng), 0);
  const std::vector<const ShapeMeasurement*> both{&one, &secret};
  const auto with = weighted_interval(both, 0.95, 1);
  const auto alone = log_ratio_interval(one.pairs, 0.95, 1);
  EXPECT_NEAR(with.median, alone.median, 1e-12);
  EXPECT_NEAR(with.low, alone.low, 0.01);
  EXPECT_NEAR(with.high, alone.high, 0.01);
}

// Where nothing differs there is no noise, and the mean knows of it.
TEST(WeightedInterval, TheSameCodeIsOneForSure) {
  ShapeMeasurement same;
  same.same_code = true;
  same.weight = 3;
  const auto quick = measured({{4, 1}, {4, 1}, {4, 1}}, 1);
  const std::vector<const ShapeMeasurement*> both{&same, &quick};
  const auto interval = weighted_interval(both, 0.95, 1);
  EXPECT_NEAR(interval.median, std::log(4) / 4, 1e-12);
  EXPECT_NEAR(interval.low, std::log(4) / 4, 1e-12);
}

TEST(WeightedInterval, IsUnknownWhenAnyPartIs) {
  const auto good = measured({{2, 1}});
  const auto is_unknown = [&](const ShapeMeasurement& other) {
    const std::vector<const ShapeMeasurement*> both{&good, &other};
    return std::isnan(weighted_interval(both, 0.95, 1).median);
  };
  EXPECT_TRUE(is_unknown(measured({})));
  EXPECT_TRUE(is_unknown(measured({{1, kNaN}})));
  EXPECT_TRUE(is_unknown(measured({{2, 1}}, kNaN)));
  EXPECT_TRUE(is_unknown(measured({{2, 1}}, -1)));
  EXPECT_FALSE(is_unknown(measured({{2, 1}}, 0)));
  EXPECT_TRUE(std::isnan(weighted_interval({}, 0.95, 1).median));
  const auto weightless = measured({{2, 1}}, 0);
  const std::vector<const ShapeMeasurement*> only{&weightless};
  EXPECT_TRUE(std::isnan(weighted_interval(only, 0.95, 1).median));
}

// Several shapes together find what each alone cannot.
TEST(WeightedInterval, ManyShapesTellMoreThanOne) {
  Rng rng(21);
  std::vector<ShapeMeasurement> shapes;
  for (int i = 0; i < 8; ++i) {
    shapes.push_back(measured(simulate(10, 0.02, {}, rng)));
  }
  std::vector<const ShapeMeasurement*> all;
  double widest = 0;
  for (const auto& shape : shapes) {
    all.push_back(&shape);
    const auto own = log_ratio_interval(shape.pairs, 0.99, 1);
    widest = std::max(widest, own.high - own.low);
  }
  const auto together = weighted_interval(all, 0.99, 1);
  EXPECT_LT(together.high - together.low, widest / 2);
  EXPECT_LE(together.low, 0.02);
  EXPECT_GE(together.high, 0.02);
}

}  // namespace
}  // namespace evoke::judge
