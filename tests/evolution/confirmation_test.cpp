#include "evoke/evolution/confirmation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace evoke {
namespace {

constexpr double kNoLimit = std::numeric_limits<double>::infinity();

class ConfirmationTest : public testing::Test {
 protected:
  ConfirmationTest() {
    PopulationConfig config;
    config.islands.count = 1;
    config.features = {{.name = "x", .low = 0, .high = 10, .bins = 10}};
    population_ = Population(config);
  }
  Member add(CandidateId id, double log_value, double half_width = 0,
             int generation = 1) {
    Candidate candidate;
    candidate.id = id;
    candidate.generation = generation;
    Outcome outcome;
    outcome.kind = OutcomeKind::measured;
    outcome.fitness =
        Fitness{std::exp(log_value), std::exp(log_value - half_width),
                std::exp(log_value + half_width)};
    Measurements measurements;
    measurements.features["x"] = static_cast<double>(id);
    outcome.measurements = measurements;
    population_.add(candidate, outcome, *score_of(outcome), effects_);
    return {population_.body_of(id), *population_.find(id)->score};
  }

  Population population_{PopulationConfig{}};
  Confirmation confirmation_{{.interval = 3, .attempts = 2}};
  std::vector<Effect> effects_;
};

TEST_F(ConfirmationTest, WithoutABestTheBestFounderIsToBeBeaten) {
  EXPECT_EQ(confirmation_.contender(population_), 0);
  EXPECT_EQ(confirmation_.fallback(population_), 0);
  add(1, -1, 0.02, 0);
  add(2, 0, 0.02, 0);
  EXPECT_EQ(confirmation_.contender(population_), 0) << "founders wait";
  EXPECT_EQ(confirmation_.fallback(population_), 2);
  add(3, 0.01, 0.02);
  EXPECT_EQ(confirmation_.contender(population_), 0) << "within noise";
  add(4, 0.5, 0.02);
  add(5, 0.4, 0.02);
  EXPECT_EQ(confirmation_.contender(population_), 4);
  population_.entry(4).refuted = true;
  EXPECT_EQ(confirmation_.contender(population_), 5);
  population_.entry(4).refuted = false;
  population_.entry(4).confirms = 2;
  EXPECT_EQ(confirmation_.contender(population_), 5);
}

TEST_F(ConfirmationTest, WithoutFoundersTheGreatestScoreIsTried) {
  add(1, 0);
  add(2, 0.5);
  EXPECT_EQ(confirmation_.contender(population_), 2);
  EXPECT_EQ(confirmation_.fallback(population_), 0);
}

TEST_F(ConfirmationTest, AFounderStandsInOnceAndOnlyForNothingElse) {
  add(1, 0, 0, 0);
  population_.entry(1).confirms = 2;
  EXPECT_EQ(confirmation_.fallback(population_), 0);
  population_.entry(1).confirms = 0;
  confirmation_.crown(add(2, 1));
  EXPECT_EQ(confirmation_.fallback(population_), 0);
}

TEST_F(ConfirmationTest, OnlyWhatBeatsTheBestBeyondNoiseIsTried) {
  confirmation_.crown(add(1, 0, 0.02));
  EXPECT_EQ(confirmation_.contender(population_), 0);
  add(2, 0.1, 0.2);  // the greatest, but nobody knows
  EXPECT_EQ(confirmation_.contender(population_), 0);
  add(3, 0.05, 0.02);
  EXPECT_EQ(confirmation_.contender(population_), 3);
}

TEST_F(ConfirmationTest, ConfirmationsAreSpacedOut) {
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 3; ++i) {
      EXPECT_FALSE(confirmation_.due(kNoLimit));
      confirmation_.count_judged(1);
    }
    EXPECT_TRUE(confirmation_.due(kNoLimit));
    confirmation_.count_confirmation(1);
  }
}

TEST_F(ConfirmationTest, ConfirmationsTakeAQuarterOfTheTimeAtMost) {
  confirmation_.count_confirmation(20);
  for (int i = 0; i < 30; ++i) {
    EXPECT_FALSE(confirmation_.due(kNoLimit)) << i;
    confirmation_.count_judged(2);
  }
  EXPECT_TRUE(confirmation_.due(kNoLimit));
}

TEST_F(ConfirmationTest, TheFirstOneIsTakenToCostSomething) {
  Confirmation confirmation({.interval = 0, .first_cost_s = 20});
  confirmation.count_judged(59);
  EXPECT_FALSE(confirmation.due(kNoLimit));
  confirmation.count_judged(1);
  EXPECT_TRUE(confirmation.due(kNoLimit));
  EXPECT_FALSE(confirmation.due(39)) << "there is one at the end anyway";
  EXPECT_TRUE(confirmation.due(40));
  confirmation.count_confirmation(5);  // now it is known
  confirmation.count_judged(15);
  EXPECT_TRUE(confirmation.due(10));
}

TEST_F(ConfirmationTest, ABestThatFailsGivesWayToTheOneBefore) {
  confirmation_.crown(add(1, 0));
  confirmation_.crown(add(2, 1));
  EXPECT_FALSE(confirmation_.disqualify(3));
  EXPECT_TRUE(confirmation_.disqualify(2));
  EXPECT_EQ(confirmation_.best_id(), 1);
  EXPECT_TRUE(confirmation_.disqualify(1));
  EXPECT_EQ(confirmation_.best(), nullptr);
}

TEST_F(ConfirmationTest, TheBestIsRescoredWithItsCandidate) {
  confirmation_.crown(add(1, 0));
  confirmation_.rescore(1, {-0.2, 0, 0, 0, 2});
  EXPECT_EQ(confirmation_.best()->score.log_value, -0.2);
}

}  // namespace
}  // namespace evoke
