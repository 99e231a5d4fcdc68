// What must hold after every step of any search, whatever comes in.
#include <gtest/gtest.h>

#include <limits>
#include <set>

#include "tests/evolution/simulation.h"

namespace evoke {
namespace {

using simulation::Landscape;

// An outcome with no sense in it: any kind for any purpose, numbers that are
// none, duplicates of anything.
Outcome hostile_outcome(const EvaluationRequest& request, Rng& rng) {
  Outcome outcome;
  outcome.candidate = request.candidate.id;
  outcome.kind = static_cast<OutcomeKind>(rng.below(kNumOutcomeKinds));
  if (rng.chance(0.6)) outcome.kind = OutcomeKind::measured;
  outcome.stage = static_cast<Stage>(rng.below(kNumStages));
  outcome.stage_ms[2] = rng.chance(0.1) ? -1e300 : rng.uniform();
  outcome.duplicate_of = static_cast<CandidateId>(
      rng.below(static_cast<uint64_t>(request.candidate.id) + 3));
  if (rng.chance(0.1)) outcome.details = Json();
  if (rng.chance(0.9)) {
    constexpr std::array kOdd{std::numeric_limits<double>::quiet_NaN(),
                              std::numeric_limits<double>::infinity(), -1.0,
                              0.0, 1e-320};
    const double value =
        rng.chance(0.05) ? rng.pick(kOdd) : std::exp(0.1 * rng.normal());
    outcome.fitness = Fitness{value, value * 0.99, value * 1.01};
    if (rng.chance(0.05)) outcome.fitness->low = rng.pick(kOdd);
  }
  if (rng.chance(0.9)) {
    Measurements measurements;
    measurements.features["balance"] = 2 * rng.normal();
    measurements.features["threadgroup_bytes"] = std::exp(6 + 3 * rng.normal());
    if (rng.chance(0.02)) measurements.features["balance"] = std::nan("");
    ShapeMeasurement shape;
    shape.minimum_effect = rng.chance(0.02) ? std::nan("") : 0.01;
    measurements.shapes.push_back(shape);
    outcome.measurements = measurements;
  }
  return outcome;
}

// Follows a run and checks after each step.
class Watcher {
 public:
  explicit Watcher(const EvolutionConfig& config) : config_(config) {}

  void before(const Evolution& evolution) { before_ = elites_of(evolution); }

  void after(const Evolution& evolution, const Step& step) {
    ASSERT_EQ(step.sequence, ++sequence_) << "a gap in the sequence";
    check_judged_once(step);
    const auto first = candidates_.emplace(step.candidate.id,
                                           simulation::to_json(step.candidate));
    ASSERT_EQ(first.first->second, simulation::to_json(step.candidate))
        << "another candidate under a known number";
    check_replacements(evolution, step);
    check_migration(step);
    check_best(evolution, step);
    check_books(evolution, step);
  }

  void submitted(const EvaluationRequest& request, const Evolution& evolution,
                 std::size_t in_flight) {
    ASSERT_LE(in_flight, static_cast<std::size_t>(config_.workers));
    ASSERT_FALSE(request.candidate.text.empty());
    if (request.purpose != EvaluationPurpose::confirm) return;
    const Exemplar* best = evolution.best();
    if (best) {
      ASSERT_EQ(request.rival_text, best->candidate.text);
    } else if (request.candidate.generation == 0) {
      ASSERT_EQ(request.rival_text, "");
    }
  }

  int64_t elite_changes() const { return changes_; }
  int64_t migrations() const { return migrations_; }
  int64_t restarts() const { return restarts_; }
  int64_t disqualified() const { return static_cast<int64_t>(failed_.size()); }

 private:
  using Elites = std::map<std::pair<std::size_t, CellIndex>, CandidateId>;

  static Elites elites_of(const Evolution& evolution) {
    Elites elites;
    const auto& islands = evolution.state().population().islands();
    for (std::size_t i = 0; i < islands.size(); ++i) {
      for (std::size_t slot = 0; slot < islands[i].archive.size(); ++slot) {
        const Elite& elite = islands[i].archive.at_slot(slot);
        elites[{i, elite.cell}] = elite.id();
      }
    }
    return elites;
  }

  void check_judged_once(const Step& step) {
    const bool judged = step.purpose == EvaluationPurpose::score &&
                        step.outcome.kind != OutcomeKind::duplicate &&
                        !has(step, "retried");
    if (step.purpose == EvaluationPurpose::score && !has(step, "retried")) {
      ASSERT_TRUE(ids_.insert(step.candidate.id).second)
          << "candidate " << step.candidate.id << " scored twice";
    }
    if (judged && !step.candidate.text.empty()) {
      ASSERT_TRUE(genomes_.insert(step.candidate.genome_hash).second)
          << "genome of " << step.candidate.id << " judged twice";
    }
    if (has(step, "disqualified")) failed_.insert(step.candidate.id);
    if (judged && !score_of(step.outcome)) failed_.insert(step.candidate.id);
  }

  static bool has(const Step& step, std::string_view kind) {
    return std::any_of(
        step.effects.begin(), step.effects.end(),
        [&](const Effect& effect) { return effect.kind == kind; });
  }

  void check_replacements(const Evolution& evolution, const Step& step) {
    const Population& population = evolution.state().population();
    const Elites now = elites_of(evolution);
    std::set<std::size_t> restarted;
    for (const Effect& effect : step.effects) {
      if (effect.kind != "restarted") continue;
      restarted.insert(effect.detail.at("island").get<std::size_t>());
      ++restarts_;
    }
    for (const auto& [place, id] : before_) {
      const auto found = now.find(place);
      if (found != now.end() && found->second == id) continue;
      ++changes_;
      if (restarted.contains(place.first) || failed_.contains(id)) continue;
      ASSERT_NE(found, now.end())
          << "elite " << id << " lost its cell to nobody";
      const Score& lost = *population.find(id)->score;
      const Score& won = *population.find(found->second)->score;
      ASSERT_TRUE(beyond_noise(won, lost, population.noise().floor))
          << "step " << step.sequence << ": elite " << id << " ("
          << lost.log_value << ") lost to " << found->second << " ("
          << won.log_value << ")";
    }
  }

  void check_migration(const Step& step) {
    if (step.purpose == EvaluationPurpose::score) {
      const bool founder = step.candidate.generation == 0;
      if (!founder) been_[step.candidate.id].insert(step.candidate.island);
    }
    for (const Effect& effect : step.effects) {
      if (effect.kind != "migrated") continue;
      ++migrations_;
      const auto id = effect.detail.at("candidate").get<CandidateId>();
      const int from = effect.detail.at("from").get<int>();
      const int to = effect.detail.at("to").get<int>();
      ASSERT_EQ(to, (from + 1) % config_.population.islands.count);
      ASSERT_TRUE(been_[id].insert(to).second)
          << "candidate " << id << " was sent back to " << to;
      ASSERT_GT(id, 3) << "founders are everywhere already";
    }
  }

  void check_best(const Evolution& evolution, const Step& step) {
    const CandidateId best = evolution.state().confirmation().best_id();
    if (best != best_) {
      const bool confirmed = step.purpose == EvaluationPurpose::confirm &&
                             step.outcome.kind == OutcomeKind::confirmed &&
                             step.candidate.id == best;
      ASSERT_TRUE(confirmed || failed_.contains(best_))
          << "step " << step.sequence;
      best_ = best;
    }
    if (best != 0) {
      ASSERT_FALSE(failed_.contains(best));
      ASSERT_EQ(evolution.best()->candidate.id, best);
    }
  }

  // Seats, ranks and texts agree with the archives.
  void check_books(const Evolution& evolution, const Step& step) {
    const Population& population = evolution.state().population();
    std::map<CandidateId, int> seats;
    for (const auto& [place, id] : elites_of(evolution)) {
      ++seats[id];
      ASSERT_FALSE(failed_.contains(id)) << "a failure has a rank: " << id;
      const Archive& archive = population.islands()[place.first].archive;
      const Elite& elite = *archive.find(place.second);
      const Entry& entry = *population.find(id);
      ASSERT_TRUE(entry.score.has_value());
      ASSERT_EQ(elite.member.score, *entry.score);
      ASSERT_EQ(elite.cell, entry.cell);
      ASSERT_FALSE(elite.member.body->candidate.text.empty());
    }
    ASSERT_EQ(population.ranked().size(), seats.size())
        << "step " << step.sequence;
    for (const RankKey& key : population.ranked()) {
      ASSERT_EQ(population.find(key.id)->seats, seats[key.id]);
      ASSERT_EQ(population.find(key.id)->score->log_value, key.log_value);
    }
    for (const Island& island : population.islands()) {
      double last = std::numeric_limits<double>::infinity();
      island.archive.visit_by_rank(
          island.archive.size(), [&](const Elite& elite) {
            EXPECT_LE(elite.member.score.log_value, last);
            last = elite.member.score.log_value;
            return true;
          });
    }
  }

  EvolutionConfig config_;
  Elites before_;
  int64_t sequence_ = 0;
  CandidateId best_ = 0;
  std::set<CandidateId> ids_;
  std::map<CandidateId, Json> candidates_;
  std::set<std::string> genomes_;
  std::set<CandidateId> failed_;
  std::map<CandidateId, std::set<int>> been_;
  int64_t changes_ = 0;
  int64_t migrations_ = 0;
  int64_t restarts_ = 0;
};

// Runs `steps` steps under the watcher's eyes.
void watch(Evolution& evolution, Watcher& watcher, int64_t steps, uint64_t seed,
           const std::function<Outcome(const EvaluationRequest&, Rng&)>& judge,
           int num_choices) {
  simulation::GeneProposer proposer(num_choices);
  std::vector<EvaluationRequest> in_flight;
  Rng rng(seed);
  while (evolution.state().sequence() < steps) {
    const double elapsed_s = static_cast<double>(evolution.state().sequence());
    watcher.before(evolution);
    Action action = evolution.next();
    if (std::holds_alternative<StopAction>(action)) {
      ASSERT_TRUE(in_flight.empty());
      return;
    }
    std::optional<Step> step;
    if (auto* request = std::get_if<ProposalRequest>(&action)) {
      step =
          evolution.answer(request->id, proposer.propose(*request), elapsed_s);
    } else if (auto* evaluation = std::get_if<EvaluationRequest>(&action)) {
      in_flight.push_back(*evaluation);
      watcher.submitted(*evaluation, evolution, in_flight.size());
    } else {
      ASSERT_FALSE(in_flight.empty()) << "waits for nothing";
      const auto chosen = in_flight.begin() + static_cast<std::ptrdiff_t>(
                                                  rng.below(in_flight.size()));
      step = evolution.apply(judge(*chosen, rng), elapsed_s);
      in_flight.erase(chosen);
    }
    if (step) watcher.after(evolution, *step);
    if (testing::Test::HasFatalFailure()) return;
  }
}

class Invariants : public testing::TestWithParam<uint64_t> {};

TEST_P(Invariants, HoldOnALandscape) {
  Landscape landscape;
  landscape.seed = GetParam();
  landscape.num_choices = 12;
  auto config = simulation::small_config(GetParam(),
                                         1 + static_cast<int>(GetParam() % 8));
  config.population.islands.stagnation_limit = 25;
  Evolution evolution(config, simulation::founders());
  Watcher watcher(config);
  int64_t moment = 0;
  watch(
      evolution, watcher, 3000, GetParam(),
      [&](const EvaluationRequest& request, Rng&) {
        return simulation::judge(landscape, request, ++moment);
      },
      landscape.num_choices);
  EXPECT_EQ(evolution.state().sequence(), 3000);
  EXPECT_GT(watcher.elite_changes(), 20);
  EXPECT_GT(watcher.migrations(), 20);
  EXPECT_GT(watcher.restarts(), 0);
  EXPECT_NE(evolution.best(), nullptr);
}

TEST_P(Invariants, HoldWhateverComesIn) {
  auto config = simulation::small_config(GetParam(), 5);
  config.infrastructure_limit = 1 << 30;
  config.population.islands.migration_interval = 7;
  config.population.islands.stagnation_limit = 25;
  config.confirmation.interval = 2;
  Evolution evolution(config, simulation::founders());
  Watcher watcher(config);
  // The founders work, or there would be nothing to search from.
  watch(
      evolution, watcher, 4000, GetParam(),
      [&](const EvaluationRequest& request, Rng& rng) {
        Outcome outcome = hostile_outcome(request, rng);
        if (request.candidate.generation == 0) {
          outcome.kind = OutcomeKind::measured;
          outcome.fitness = Fitness{1, 0.99, 1.01};
        }
        return outcome;
      },
      20);
  EXPECT_EQ(evolution.state().sequence(), 4000);
  EXPECT_GT(watcher.elite_changes(), 50);
  EXPECT_GT(watcher.migrations(), 20);
  EXPECT_GT(watcher.disqualified(), 500);
}

INSTANTIATE_TEST_SUITE_P(Seeds, Invariants,
                         testing::Range(uint64_t{1}, uint64_t{9}));

}  // namespace
}  // namespace evoke
