#include "evoke/evolution/search_state.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

namespace evoke {
namespace {

// A good operation is one that leads beyond what is there.
TEST(SearchState, MakingSomethingOrdinaryOfSomethingBadIsNoGain) {
  EvolutionConfig config;
  config.proposers = {{.name = "genes", .operations = {"step", "jump"}}};
  SearchState state(config, 2);
  const auto apply = [&](CandidateId id, CandidateId parent, double fitness,
                         const char* operation) {
    Step step;
    step.candidate.id = step.outcome.candidate = id;
    step.candidate.text = step.candidate.genome_hash = std::to_string(id);
    step.candidate.proposer = "genes";
    step.candidate.operation = operation;
    step.candidate.generation = parent == 0 ? 0 : 1;
    if (parent != 0) step.candidate.parents = {parent};
    step.outcome.kind = OutcomeKind::measured;
    step.outcome.fitness = Fitness{fitness, fitness, fitness};
    state.apply(step);
  };
  apply(1, 0, 1.0, "");
  apply(2, 0, 0.2, "");
  apply(3, 2, 0.6, "step");
  apply(4, 2, 1.5, "jump");
  apply(5, 4, 1.8, "jump");
  const auto arms = state.bandit().state();
  EXPECT_EQ(arms[0].reward, 0);
  EXPECT_NEAR(arms[1].reward, std::log(1.5) + std::log(1.8 / 1.5), 0.05);
}

// An evaluation that fails through no fault of the candidate is repeated,
// whatever comes in between.
TEST(SearchState, RetriesAreCountedPerCandidate) {
  EvolutionConfig config;
  config.retries = 1;
  SearchState state(config, 2);
  const auto fails = [&](CandidateId id) {
    Step step;
    step.candidate.id = step.outcome.candidate = id;
    step.candidate.text = step.candidate.genome_hash = std::to_string(id);
    return state.apply(step).again;
  };
  EXPECT_TRUE(fails(1));
  EXPECT_TRUE(fails(2));
  EXPECT_FALSE(fails(1));
  EXPECT_FALSE(fails(2));
}

}  // namespace
}  // namespace evoke
