#include "evoke/evolution/population.h"

#include <gtest/gtest.h>

#include <cmath>

#include "evoke/base/error.h"

namespace evoke {
namespace {

class PopulationTest : public testing::Test {
 protected:
  static PopulationConfig config() {
    PopulationConfig config;
    config.islands = {.count = 2, .migrants = 1, .stagnation_limit = 5};
    config.features = {{.name = "x", .low = 0, .high = 10, .bins = 10}};
    return config;
  }

  // Adds candidate `id` with feature x; generation 0 is a founder.
  bool add(CandidateId id, double log_value, double x, int island = 0,
           int generation = 1, double half_width = 0) {
    Candidate candidate;
    candidate.id = id;
    candidate.island = island;
    candidate.generation = generation;
    candidate.text = "text " + std::to_string(id);
    Measurements measurements;
    measurements.features["x"] = x;
    outcome_ = {};
    outcome_.candidate = id;
    outcome_.kind = OutcomeKind::measured;
    outcome_.fitness =
        Fitness{std::exp(log_value), std::exp(log_value - half_width),
                std::exp(log_value + half_width)};
    outcome_.measurements = measurements;
    candidates_[id] = candidate;
    return population_.add(candidate, outcome_, *score_of(outcome_), effects_);
  }

  int count(std::string_view kind) const {
    return static_cast<int>(std::count_if(
        effects_.begin(), effects_.end(),
        [&](const Effect& effect) { return effect.kind == kind; }));
  }
  CandidateId elite(int island, CellIndex cell) const {
    const Elite* found =
        population_.islands()[static_cast<std::size_t>(island)].archive.find(
            cell);
    return found ? found->id() : 0;
  }

  Population population_{config()};
  std::map<CandidateId, Candidate> candidates_;
  std::vector<Effect> effects_;
  Outcome outcome_;
};

TEST_F(PopulationTest, FoundersLiveOnEveryIslandOthersOnTheirs) {
  EXPECT_TRUE(add(1, 0, 5, 0, /*generation=*/0));
  EXPECT_TRUE(add(2, 0.5, 5, 1));
  EXPECT_EQ(elite(0, 5), 1);
  EXPECT_EQ(elite(1, 5), 2);
  EXPECT_EQ(population_.find(1)->seats, 1);
  EXPECT_EQ(population_.ranked().size(), 2u);
}

TEST_F(PopulationTest, AChallengeAheadAsksForAnotherMeasurementOnce) {
  add(1, 0, 5, 0, 1, 0.05);
  add(2, 0.02, 5, 0, 1, 0.05);
  EXPECT_EQ(population_.take_remeasures(), std::vector<CandidateId>{1});
  add(3, 0.03, 5, 0, 1, 0.05);
  EXPECT_TRUE(population_.take_remeasures().empty()) << "asked for already";
  EXPECT_EQ(count("remeasure_requested"), 1);
}

TEST_F(PopulationTest, OftenChallengedFromBehindIsMeasuredAgainToo) {
  add(1, 0, 5, 0, 1, 0.05);
  for (CandidateId id = 2; id < 5; ++id) {
    add(id, -0.02, 5, 0, 1, 0.05);
    EXPECT_TRUE(population_.take_remeasures().empty());
  }
  add(5, -0.02, 5, 0, 1, 0.05);
  EXPECT_EQ(population_.take_remeasures(), std::vector<CandidateId>{1});
}

TEST_F(PopulationTest, AScoreThatFallsLosesTheCellToTheChallenger) {
  add(1, 0, 5, 0, 1, 0.05);
  add(2, 0.04, 5, 0, 1, 0.01);
  population_.entry(1).remeasuring = false;
  Score lower = *population_.find(1)->score;
  lower.log_value = -0.05;
  population_.rescore(candidates_[1], outcome_, lower, effects_);
  EXPECT_EQ(elite(0, 5), 2);
  EXPECT_EQ(population_.find(1)->seats, 0);
  EXPECT_EQ(population_.find(2)->seats, 1);
  EXPECT_EQ(population_.ranked().begin()->id, 2);
}

TEST_F(PopulationTest, DisqualifiedMeansGoneEverywhere) {
  add(1, 0, 5, 0, 0);
  add(2, 1, 5, 0);
  population_.migrate(effects_);
  EXPECT_EQ(elite(1, 5), 2);
  population_.disqualify(2, effects_);
  EXPECT_EQ(elite(0, 5), 1);
  EXPECT_EQ(elite(1, 5), 1);
  EXPECT_FALSE(population_.find(2)->score.has_value());
  EXPECT_EQ(population_.body_of(2), nullptr);
  population_.disqualify(1, effects_);
  EXPECT_TRUE(population_.ranked().empty());
  EXPECT_TRUE(population_.islands()[0].archive.empty());
}

TEST_F(PopulationTest, AnIslandThatLosesItsLastEliteGoesBackToItsFounders) {
  add(1, 0, 5, 0, 0);
  add(2, 0.5, 5, 0, 0);
  add(3, -1, 5, 0, 0);  // never held the cell
  population_.disqualify(1, effects_);
  population_.disqualify(2, effects_);
  EXPECT_EQ(elite(0, 5), 3);
  EXPECT_EQ(elite(1, 5), 3);
}

TEST_F(PopulationTest, AReinventedGenomeCompetesWithItsKnownScore) {
  add(1, 0, 5, 0, 0);
  add(2, 1, 3, 0);
  Candidate again = candidates_[2];
  again.id = 3;
  again.island = 1;
  population_.reuse(2, again, true, effects_);
  EXPECT_EQ(elite(1, 3), 2) << "known by its first id";
  population_.reuse(99, again, true, effects_);  // an unknown owner: nothing
  EXPECT_EQ(population_.find(3), nullptr);
}

TEST_F(PopulationTest, ATextThatNobodyKeptComesBackWithTheReinvention) {
  add(1, 0, 5, 0, 0);
  add(2, -1, 5, 1);  // behind the founder: its text is dropped
  EXPECT_EQ(population_.body_of(2), nullptr);
  population_.disqualify(1, effects_);
  Candidate again = candidates_[2];
  again.id = 3;
  population_.reuse(2, again, /*same_genome=*/false, effects_);
  EXPECT_EQ(elite(1, 5), 0);
  population_.reuse(2, again, /*same_genome=*/true, effects_);
  EXPECT_EQ(elite(1, 5), 2);
  EXPECT_EQ(population_.body_of(2)->candidate.text, "text 2");
  EXPECT_EQ(population_.body_of(2)->candidate.id, 2);
}

TEST_F(PopulationTest, AQuietIslandStartsAgainFromAFounder) {
  add(1, 0, 5, 0, 0);
  add(2, 1, 3, 0);
  add(3, 1, 4, 1);
  for (int i = 0; i < 4; ++i) {
    population_.count_quiet(0, 0, Rng(1), effects_);
  }
  EXPECT_EQ(count("restarted"), 0);
  population_.count_quiet(0, 0, Rng(1), effects_);
  EXPECT_EQ(count("restarted"), 1);
  EXPECT_EQ(elite(0, 5), 1);
  EXPECT_EQ(elite(0, 3), 0);
  EXPECT_EQ(elite(1, 4), 3) << "the other island goes on";
  EXPECT_EQ(population_.find(2)->seats, 0);
}

TEST_F(PopulationTest, TheOnlyIslandWithTheBestIsNeverCleared) {
  add(1, 0, 5, 0, 0);
  add(2, 1, 3, 0);
  for (int i = 0; i < 20; ++i) {
    population_.count_quiet(0, 2, Rng(1), effects_);
  }
  EXPECT_EQ(count("restarted"), 0);
  population_.migrate(effects_);
  for (int i = 0; i < 5; ++i) {
    population_.count_quiet(0, 2, Rng(1), effects_);
  }
  EXPECT_EQ(count("restarted"), 1);
  EXPECT_EQ(elite(1, 3), 2);
}

TEST_F(PopulationTest, BalanceIsMadeFromShapesUnlessTheJudgeGaveIt) {
  PopulationConfig balance = config();
  balance.features = {{.name = "balance", .low = -2, .high = 2, .bins = 4}};
  const Population population(balance);
  Outcome outcome;
  EXPECT_EQ(population.cell_of(outcome), 2);
  Measurements measurements;
  for (const auto& [name, speedup] :
       {std::pair{"decode-64", 0.5}, {"prefill-64", 1.0}}) {
    ShapeMeasurement shape;
    shape.shape = name;
    shape.speedup = speedup;
    measurements.shapes.push_back(shape);
  }
  outcome.measurements = measurements;
  EXPECT_EQ(population.cell_of(outcome), 1);
  outcome.measurements->features["balance"] = 1.5;
  EXPECT_EQ(population.cell_of(outcome), 3);
}

TEST(Population, RefusesAConfigurationWithoutSense) {
  PopulationConfig config;
  config.islands.count = 0;
  EXPECT_THROW(Population{config}, UsageError);
  config.islands.count = 65;
  EXPECT_THROW(Population{config}, UsageError);
  config.islands = {.migrants = -1};
  EXPECT_THROW(Population{config}, UsageError);
}

}  // namespace
}  // namespace evoke
