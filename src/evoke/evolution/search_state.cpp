#include "evoke/evolution/search_state.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace evoke {
namespace {

// Share of a reward for taking a cell without beating the parent.
constexpr double kCellReward = 0.02;

double cost_s(const Outcome& outcome) {
  return std::accumulate(outcome.stage_ms.begin(), outcome.stage_ms.end(),
                         0.0) *
         1e-3;
}

Effect about(const char* kind, CandidateId id) {
  return {kind, {{"candidate", id}}};
}

}  // namespace

SearchState::SearchState(const EvolutionConfig& config, int64_t num_founders)
    : config_(config),
      root_(config.rng_seed),
      budget_(config.budget),
      population_(config.population),
      arms_(arms_of(config.proposers)),
      bandit_(names_of(arms_), config.bandit, weights_of(arms_)),
      history_(config.history),
      confirmation_(config.confirmation),
      founders_left_(num_founders) {}

SearchState::Applied SearchState::apply(Step& step) {
  ++sequence_;
  elapsed_s_ = step.elapsed_s;
  ++counts_[static_cast<std::size_t>(step.outcome.kind)];
  step.effects.clear();
  const bool again = retry(step);
  if (!again) {
    switch (step.purpose) {
      case EvaluationPurpose::score:
        apply_score(step);
        break;
      case EvaluationPurpose::remeasure:
        apply_remeasure(step);
        break;
      case EvaluationPurpose::confirm:
        apply_confirm(step);
        break;
    }
  }
  check_budget();
  return {again};
}

// The candidate whose text could not be made at all is not retried.
bool SearchState::retry(Step& step) {
  if (step.outcome.kind != OutcomeKind::infrastructure_failed) {
    broken_ = 0;
    population_.entry(step.candidate.id).retries = 0;
    return false;
  }
  ++broken_;
  if (step.candidate.text.empty()) return false;
  Entry& entry = population_.entry(step.candidate.id);
  if (entry.retries >= config_.retries) {
    entry.retries = 0;  // the next evaluation of it starts afresh
    return false;
  }
  ++entry.retries;
  step.effects.push_back(
      {"retried",
       {{"candidate", step.candidate.id}, {"retry", entry.retries}}});
  return true;
}

void SearchState::apply_score(Step& step) {
  const Candidate& candidate = step.candidate;
  const Outcome& outcome = step.outcome;
  const bool founder = candidate.generation == 0;
  const CandidateId owner =
      outcome.kind == OutcomeKind::duplicate ? outcome.duplicate_of : 0;
  if (owner == 0 && !candidate.text.empty()) {
    novelty_.claim(candidate.genome_hash, candidate.id);
  }

  bool took_cell = false;
  if (const auto score = score_of(outcome)) {
    took_cell = population_.add(candidate, outcome, *score, step.effects);
  } else if (owner != 0) {
    // The owner may still be in flight: then only its genome is known.
    const bool same_genome = novelty_.owner(candidate.genome_hash) == owner;
    novelty_.alias(candidate.genome_hash, owner);
    population_.reuse(owner, candidate, same_genome, step.effects);
  }
  if (founder) {
    --founders_left_;
  } else {
    count_proposal(step, took_cell);
  }
}

// Over the parent, or over the best founder when the parent is worse: making
// something ordinary of something bad is no gain.
double SearchState::gain(const Score& score, CandidateId parent_id) const {
  const Entry* parent = population_.find(parent_id);
  const auto founder = population_.best_founder();
  if (!parent || !parent->score || !founder) return 0;
  const bool below = parent->score->log_value < founder->score.log_value;
  const Score& base = below ? founder->score : *parent->score;
  if (!beyond_noise(score, base, population_.noise().floor)) return 0;
  return std::min(score.log_value - base.log_value, 1.0);
}

void SearchState::reward_arms(const Step& step, double reward) {
  // An arm without a model or an operation leaves that to the proposer.
  const std::string& source = step.candidate.proposer;
  const std::string& operation = step.candidate.operation;
  const std::string proposer = proposer_of(source);
  for (const std::string& arm :
       {arm_name(source, operation), arm_name(proposer, operation),
        arm_name(source, ""), arm_name(proposer, "")}) {
    if (bandit_.index_of(arm) == arms_.size()) continue;
    bandit_.update(arm, reward, cost_of(step));
    break;
  }
  // What was asked for but could not be done gained nothing.
  const Json& details = step.outcome.details;
  if (!details.is_object()) return;
  const auto requested = details.find(kRequestedOperation);
  if (requested == details.end() || !requested->is_string()) return;
  const auto name = requested->get<std::string>();
  const bool whole = name.find('/') != std::string::npos;
  bandit_.update(whole ? name : arm_name(source, name), 0, 0);
}

double SearchState::cost_of(const Step& step) const {
  const ProposalCost& cost = step.candidate.cost;
  double seconds = cost_s(step.outcome);
  if (config_.usd_per_hour > 0) {
    seconds += cost.usd.value_or(0) / config_.usd_per_hour * 3600;
  }
  const std::string name = proposer_of(step.candidate.proposer);
  for (const ProposerConfig& proposer : config_.proposers) {
    if (name == proposer.name)
      seconds += proposer.latency_weight * cost.seconds;
  }
  return seconds;
}

void SearchState::remember(const Step& step) {
  const Candidate& candidate = step.candidate;
  const Entry* parent = candidate.parents.empty()
                            ? nullptr
                            : population_.find(candidate.parents.front());
  const Entry* child = population_.find(candidate.id);
  if (!parent || !parent->score || !child || !child->score) {
    return history_.add(step, 0, false);
  }
  history_.add(
      step, std::exp(child->score->log_value - parent->score->log_value),
      beyond_noise(*child->score, *parent->score, population_.noise().floor));
}

void SearchState::count_proposal(Step& step, bool took_cell) {
  const Candidate& candidate = step.candidate;
  const Outcome& outcome = step.outcome;
  if (outcome.kind == OutcomeKind::infrastructure_failed) {
    ++forgiven_;
    return;
  }
  ++judged_;
  ++since_best_;
  confirmation_.count_judged(cost_s(outcome));
  const bool nothing_new =
      outcome.kind == OutcomeKind::duplicate && outcome.stage <= Stage::novelty;
  barren_ = nothing_new ? barren_ + 1 : 0;

  const Entry& entry = population_.entry(candidate.id);
  const CandidateId parent_id =
      candidate.parents.empty() ? 0 : candidate.parents.front();
  double reward = took_cell ? kCellReward : 0;
  if (entry.score) reward += gain(*entry.score, parent_id);
  reward_arms(step, reward);
  remember(step);
  population_.reward_curiosity(candidate.island, parent_id, took_cell);
  const int interval = config_.population.islands.migration_interval;
  if (interval > 0 && judged_ % interval == 0)
    population_.migrate(step.effects);
  population_.count_quiet(candidate.island, confirmation_.best_id(), root_,
                          step.effects);
}

void SearchState::apply_remeasure(Step& step) {
  const CandidateId id = step.candidate.id;
  Entry& entry = population_.entry(id);
  entry.remeasuring = false;
  if (!entry.score) return;  // disqualified in the meantime
  if (step.outcome.kind == OutcomeKind::infrastructure_failed) return;
  const auto score = score_of(step.outcome);
  if (!score) return disqualify(id, step.effects);
  const Score mean = combined(*entry.score, *score);
  entry.refuted = false;
  step.effects.push_back({"remeasured",
                          {{"candidate", id},
                           {"measurements", mean.measurements},
                           {"fitness", mean.fitness().value}}});
  confirmation_.rescore(id, mean);
  population_.rescore(step.candidate, step.outcome, mean, step.effects);
}

void SearchState::apply_confirm(Step& step) {
  const CandidateId id = step.candidate.id;
  Entry& entry = population_.entry(id);
  ++entry.confirms;
  confirmation_.count_confirmation(cost_s(step.outcome));
  if (!entry.score) return;
  const OutcomeKind kind = step.outcome.kind;
  const auto score = score_of(step.outcome);
  if (kind == OutcomeKind::confirmed && score) {
    // Measured afresh: not the lucky one of many, so it counts alone.
    entry.refuted = false;
    population_.rescore(step.candidate, step.outcome, *score, step.effects);
    confirmation_.crown({std::make_shared<const Exemplar>(
                             Exemplar{step.candidate, step.outcome}),
                         *score});
    since_best_ = 0;
    step.effects.push_back(
        {"best", {{"candidate", id}, {"fitness", score->fitness().value}}});
    return;
  }
  const bool undecided = kind == OutcomeKind::not_confirmed ||
                         kind == OutcomeKind::infrastructure_failed ||
                         kind == OutcomeKind::measured ||
                         kind == OutcomeKind::confirmed;
  if (!undecided) return disqualify(id, step.effects);
  // It stays an elite, but not above what it did not beat.
  entry.refuted = true;
  step.effects.push_back(about("not_confirmed", id));
  const auto rival = confirmation_.rival(population_);
  if (kind == OutcomeKind::infrastructure_failed || !rival) return;
  Score shrunk = *entry.score;
  shrunk.log_value = std::min(shrunk.log_value, rival->score.log_value);
  const Body body = population_.body_of(id);
  population_.rescore(step.candidate, body ? body->outcome : step.outcome,
                      shrunk, step.effects);
}

void SearchState::disqualify(CandidateId id, std::vector<Effect>& effects) {
  population_.disqualify(id, effects);
  if (!confirmation_.disqualify(id)) return;
  effects.push_back(
      {"best_revoked", {{"candidate", id}, {"best", confirmation_.best_id()}}});
}

void SearchState::check_budget() {
  if (stopping_) return;
  const Member* best = confirmation_.best();
  if (founders_judged() && population_.ranked().empty()) {
    stopping_ = StopReason::no_founder;
  } else if (barren_ >= config_.barren_limit) {
    stopping_ = StopReason::nothing_new;
  } else {
    stopping_ = budget_.exhausted(elapsed_s_, since_best_,
                                  best ? best->score.fitness().value : 0);
  }
}

std::string SearchState::fingerprint() const {
  Fingerprint fingerprint;
  fingerprint.add(sequence_);
  fingerprint.add(elapsed_s_);
  fingerprint.add(founders_left_);
  fingerprint.add(judged_);
  fingerprint.add(forgiven_);
  fingerprint.add(since_best_);
  fingerprint.add(barren_);
  fingerprint.add(broken_);
  fingerprint.add(stopping_ ? static_cast<int>(*stopping_) : -1);
  for (const int64_t count : counts_) fingerprint.add(count);
  fingerprint.add(novelty_.size());
  population_.add_to(fingerprint);
  confirmation_.add_to(fingerprint);
  bandit_.add_to(fingerprint);
  history_.add_to(fingerprint);
  return fingerprint.hex();
}

}  // namespace evoke
