// What a killed run loses: nothing. Replaying recorded steps gives the state
// and the requests that the run had, at every step.
#include <gtest/gtest.h>

#include "tests/evolution/scenario.h"
#include "tests/evolution/simulation.h"

namespace evoke {
namespace {

using simulation::Landscape;
using simulation::SimulatedRun;

class Resume : public testing::TestWithParam<std::tuple<int, int, int>> {
 protected:
  EvolutionConfig config() const {
    const auto [seed, workers, ahead] = GetParam();
    auto config =
        simulation::small_config(static_cast<uint64_t>(seed), workers);
    config.proposals_ahead = ahead;
    return config;
  }
};

TEST_P(Resume, EveryPrefixContinuesAsIfNeverInterrupted) {
  constexpr std::size_t kSteps = 260;
  constexpr std::size_t kFurther = 14;
  const Landscape landscape;
  SimulatedRun live(config(), simulation::founders(), landscape);
  std::vector<std::string> states;
  std::vector<std::vector<std::string>> in_flight;
  while (live.steps.size() < kSteps + kFurther) {
    live.pump();
    // pump() may have added steps of its own.
    states.resize(live.steps.size() + 1);
    in_flight.resize(live.steps.size() + 1);
    states.back() = live.evolution.fingerprint();
    in_flight.back() = simulation::texts_of(live.in_flight);
    live.arrive();
  }

  Evolution replayed(config(), simulation::founders());
  for (std::size_t n = 0; n <= kSteps; ++n) {
    SimulatedRun resumed(replayed, landscape);
    resumed.pump();
    if (resumed.steps.empty() && !states[n].empty()) {
      ASSERT_EQ(resumed.evolution.fingerprint(), states[n]) << "prefix " << n;
      ASSERT_EQ(simulation::texts_of(resumed.in_flight), in_flight[n])
          << "prefix " << n;
    }
    resumed.run(kFurther);
    for (std::size_t i = 0; i < kFurther; ++i) {
      ASSERT_EQ(simulation::text_of(resumed.steps[i]),
                simulation::text_of(live.steps[n + i]))
          << "prefix " << n;
    }
    const auto replay = replayed.replay(live.steps[n]);
    ASSERT_TRUE(replay.has_value()) << replay.error().message;
  }
  EXPECT_EQ(replayed.diverged_at(), 0);
}

TEST_P(Resume, TwiceResumedEndsLikeTheUninterruptedRun) {
  const Landscape landscape;
  auto limited = config();
  limited.budget.iterations = 300;
  SimulatedRun whole(limited, simulation::founders(), landscape);
  whole.run();

  std::vector<Step> record;
  for (const std::size_t kill_at : {40u, 155u, 100000u}) {
    Evolution evolution(limited, simulation::founders());
    for (const Step& step : record) {
      ASSERT_TRUE(evolution.replay(step).has_value());
    }
    SimulatedRun part(evolution, landscape);
    part.run(kill_at - record.size());
    record.insert(record.end(), part.steps.begin(), part.steps.end());
  }
  ASSERT_EQ(record.size(), whole.steps.size());
  for (std::size_t i = 0; i < record.size(); ++i) {
    ASSERT_EQ(simulation::text_of(record[i]),
              simulation::text_of(whole.steps[i]));
  }
}

INSTANTIATE_TEST_SUITE_P(SeedsWorkersAhead, Resume,
                         testing::Values(std::tuple{1, 1, 0},
                                         std::tuple{2, 3, 0},
                                         std::tuple{3, 8, 0},
                                         std::tuple{4, 8, 4},
                                         std::tuple{5, 2, 6}));

TEST(Replay, OneWorkerAndEightAgreeAfterTheSameOutcomes) {
  for (const uint64_t seed : {1u, 2u, 3u}) {
    SimulatedRun run(simulation::small_config(seed, 8), simulation::founders(),
                     Landscape{});
    run.run(600);
    Evolution one(simulation::small_config(seed, 1), simulation::founders());
    Evolution eight(simulation::small_config(seed, 8), simulation::founders());
    for (std::size_t i = 0; i < run.steps.size(); ++i) {
      ASSERT_TRUE(one.replay(run.steps[i]).has_value());
      ASSERT_TRUE(eight.replay(run.steps[i]).has_value());
      ASSERT_EQ(one.state().fingerprint(), eight.state().fingerprint())
          << "step " << i + 1;
    }
    EXPECT_EQ(run.evolution.state().fingerprint(), one.state().fingerprint());
    EXPECT_EQ(eight.diverged_at(), 0);
    EXPECT_EQ(one.diverged_at(), 0);
  }
}

TEST(Replay, ContinuesWithAnotherNumberOfWorkers) {
  SimulatedRun run(simulation::small_config(4, 8), simulation::founders(),
                   Landscape{});
  run.run(200);
  for (const int workers : {1, 3, 16}) {
    Evolution evolution(simulation::small_config(4, workers),
                        simulation::founders());
    for (const Step& step : run.steps) {
      ASSERT_TRUE(evolution.replay(step).has_value());
    }
    SimulatedRun more(evolution, Landscape{});
    more.run(100);
    std::set<CandidateId> judged;
    std::set<std::string> genomes;
    for (const auto* steps : {&run.steps, &more.steps}) {
      for (const Step& step : *steps) {
        const bool again =
            step.outcome.kind == OutcomeKind::infrastructure_failed;
        if (step.purpose != EvaluationPurpose::score || again) continue;
        EXPECT_TRUE(judged.insert(step.candidate.id).second);
      }
    }
    EXPECT_GE(more.steps.size(), 100u);
  }
}

TEST(Replay, GoesOnUnderALargerBudget) {
  auto config = simulation::small_config(5, 4);
  config.budget.iterations = 50;
  SimulatedRun first(config, simulation::founders(), Landscape{});
  first.run();
  EXPECT_TRUE(first.evolution.status().finished);
  config.budget.iterations = 120;
  Evolution evolution(config, simulation::founders());
  for (const Step& step : first.steps) {
    ASSERT_TRUE(evolution.replay(step).has_value());
  }
  EXPECT_EQ(evolution.diverged_at(), 0);
  SimulatedRun second(evolution, Landscape{});
  second.run();
  EXPECT_EQ(second.evolution.status().iterations, 120);
  EXPECT_EQ(second.evolution.status().judged, 120);
}

// Ctrl-C is no part of the search: what it made the run ask for differs from
// what the replay asks for; what became of the outcomes does not.
TEST(Replay, GoesOnAfterARequestedStop) {
  const auto config = simulation::small_config(7, 4);
  SimulatedRun first(config, simulation::founders(), Landscape{});
  first.run(120);
  first.evolution.request_stop();
  first.run();
  ASSERT_TRUE(first.evolution.status().finished);
  ASSERT_EQ(first.steps.back().effects.back().detail,
            Json({{"reason", "requested"}}));
  Evolution evolution(config, simulation::founders());
  for (const Step& step : first.steps) {
    ASSERT_TRUE(evolution.replay(step).has_value());
  }
  EXPECT_EQ(evolution.diverged_at(), 0);
  EXPECT_EQ(evolution.state().fingerprint(),
            first.evolution.state().fingerprint());
  SimulatedRun second(evolution, Landscape{});
  second.run(200);
  EXPECT_GE(second.steps.size(), 200u);
}

// A key that was wrong, a service that was down: mended, the run goes on.
TEST(Replay, GoesOnAfterFailuresOfTheMachine) {
  auto config = scenario::plain_config();
  config.infrastructure_limit = 5;
  scenario::Scenario first(config);
  std::vector<Step> steps = {
      first.finish(first.evaluation(), OutcomeKind::measured, 1),
      first.finish(first.evaluation(), OutcomeKind::measured, 0.5)};
  for (int i = 0; i < 5; ++i) {
    steps.push_back(
        *first.evolution.answer(first.proposal().id, failed("wrong key"), 5));
  }
  ASSERT_EQ(first.stops(), StopReason::infrastructure);

  scenario::Scenario second(config);
  for (const Step& step : steps) {
    ASSERT_TRUE(second.evolution.replay(step).has_value());
  }
  EXPECT_EQ(second.evolution.diverged_at(), 0);
  second.child("new", OutcomeKind::measured, 0.6);
  for (int i = 0; i < 4; ++i) {
    second.evolution.answer(second.proposal().id, failed("down"), 5);
  }
  EXPECT_FALSE(second.stops());
}

TEST(Replay, SaysWhenTheRecordIsAnotherSearch) {
  SimulatedRun run(simulation::small_config(7, 4), simulation::founders(),
                   Landscape{});
  run.run(60);
  auto other = simulation::small_config(7, 4);
  other.population.islands.migration_interval = 9;
  Evolution evolution(other, simulation::founders());
  for (const Step& step : run.steps) {
    ASSERT_TRUE(evolution.replay(step).has_value());
  }
  EXPECT_GT(evolution.diverged_at(), 0);
}

TEST(Replay, RefusesGapsAndOtherSeeds) {
  SimulatedRun run(simulation::small_config(6, 2), simulation::founders(),
                   Landscape{});
  run.run(20);
  Evolution evolution(simulation::small_config(6, 2), simulation::founders());
  EXPECT_NE(evolution.replay(run.steps[1]).error().message.find("gap"),
            std::string::npos);
  auto seeds = simulation::founders();
  seeds[run.steps[0].candidate.id - 1].text = "genes 1 1 1 1 1 1";
  Evolution other(simulation::small_config(6, 2), seeds);
  EXPECT_NE(other.replay(run.steps[0]).error().message.find("seeds"),
            std::string::npos);
  Step damaged = run.steps[0];
  damaged.candidate.id = damaged.outcome.candidate = int64_t{1} << 60;
  EXPECT_FALSE(evolution.replay(damaged).has_value());
}

}  // namespace
}  // namespace evoke
