#include "evoke/evolution/population.h"

#include <algorithm>
#include <utility>

#include "evoke/base/error.h"
#include "evoke/evolution/migration.h"

namespace evoke {
namespace {

uint64_t bit(std::size_t island) { return uint64_t{1} << island; }

void check(const PopulationConfig& config) {
  const IslandConfig& islands = config.islands;
  if (islands.count < 1 || islands.count > Population::kMaxIslands) {
    throw UsageError("[Population] islands.count is " +
                     std::to_string(islands.count) + ". Use 1 to " +
                     std::to_string(Population::kMaxIslands) + ".");
  }
  if (islands.migration_interval < 0 || islands.migrants < 0 ||
      islands.stagnation_limit < 0) {
    throw UsageError(
        "[Population] a number of [islands] is negative. Use 0 to switch "
        "migration or restarts off.");
  }
}

Candidate lineage_of(const Candidate& candidate) {
  return {.id = candidate.id,
          .text = {},
          .genome_hash = {},
          .parents = candidate.parents,
          .inspirations = candidate.inspirations,
          .island = candidate.island,
          .generation = candidate.generation,
          .proposer = candidate.proposer,
          .operation = candidate.operation,
          .summary = candidate.summary,
          .strategies = candidate.strategies,
          .cost = candidate.cost};
}

// Without raw pairs: the record keeps them, and nobody in the search asks.
Body make_body(const Candidate& candidate, const Outcome& outcome) {
  auto body = std::make_shared<Exemplar>(Exemplar{candidate, outcome});
  if (auto& measurements = body->outcome.measurements) {
    for (ShapeMeasurement& shape : measurements->shapes) {
      std::vector<TimedPair>().swap(shape.pairs);
    }
  }
  return body;
}

}  // namespace

Population::Population(const PopulationConfig& config)
    : config_(config),
      feature_map_(config.features.empty() ? default_feature_axes()
                                           : config.features) {
  check(config_);
  const Island island{Archive(feature_map_.num_cells(), config_.noise.floor)};
  islands_.assign(static_cast<std::size_t>(config_.islands.count), island);
}

Entry& Population::entry(CandidateId id) {
  const auto index = static_cast<std::size_t>(id);
  if (entries_.size() < index) entries_.resize(index);
  return entries_[index - 1];
}

const Entry* Population::find(CandidateId id) const {
  const bool known = id > 0 && static_cast<std::size_t>(id) <= entries_.size();
  return known ? &entries_[static_cast<std::size_t>(id) - 1] : nullptr;
}

CellIndex Population::cell_of(const Outcome& outcome) const {
  if (!outcome.measurements) return feature_map_.cell_of({});
  const Measurements& measurements = *outcome.measurements;
  if (measurements.features.contains("balance")) {
    return feature_map_.cell_of(measurements.features);
  }
  const auto balance =
      balance_of(measurements, config_.balance_over, config_.balance_under);
  if (!balance) return feature_map_.cell_of(measurements.features);
  auto features = measurements.features;
  features["balance"] = *balance;
  return feature_map_.cell_of(features);
}

Body Population::body_of(CandidateId id) const {
  for (const Body& founder : founders_) {
    if (founder->candidate.id == id) return founder;
  }
  const Entry* known = find(id);
  if (!known) return nullptr;
  for (std::size_t i = 0; i < islands_.size(); ++i) {
    if ((known->visited & bit(i)) == 0) continue;
    const Elite* elite = islands_[i].archive.find(known->cell);
    if (!elite) continue;
    if (elite->id() == id) return elite->member.body;
    if (elite->challenger && elite->challenger->id() == id) {
      return elite->challenger->body;
    }
    for (const Member& former : elite->displaced) {
      if (former.id() == id) return former.body;
    }
  }
  return nullptr;
}

std::optional<Member> Population::best_founder() const {
  std::optional<Member> best;
  for (const Body& founder : founders_) {
    const Score& score = *find(founder->candidate.id)->score;
    if (!best || score.log_value > best->score.log_value) {
      best = Member{founder, score};
    }
  }
  return best;
}

void Population::seat(CandidateId id) {
  Entry& seated = entry(id);
  if (seated.seats++ == 0) ranked_.insert({seated.score->log_value, id});
}

void Population::unseat(CandidateId id) {
  Entry& leaving = entry(id);
  if (--leaving.seats > 0) return;
  if (leaving.score) ranked_.erase({leaving.score->log_value, id});
  leaving.remeasuring = false;
}

void Population::challenge(CandidateId incumbent, const Archive& archive,
                           CellIndex cell, bool ahead,
                           std::vector<Effect>& effects) {
  Entry& held = entry(incumbent);
  const bool enough =
      ahead || archive.find(cell)->challenges >= config_.noise.challenges;
  const bool again = enough && !held.remeasuring &&
                     held.score->measurements < config_.noise.max_measurements;
  if (!again) return;
  held.remeasuring = true;
  remeasures_.push_back(incumbent);
  effects.push_back({"remeasure_requested", {{"candidate", incumbent}}});
}

bool Population::offer(std::size_t island, const Member& member, CellIndex cell,
                       bool challenges, std::vector<Effect>& effects) {
  entry(member.id()).visited |= bit(island);
  Archive& archive = islands_[island].archive;
  const OfferResult result = archive.offer(member, cell, challenges);
  const bool ahead = result.standing == Standing::ahead_within_noise;
  if (result.took_cell()) {
    apply_change(island, {cell, member.id(), result.incumbent}, effects);
  } else if (challenges &&
             (ahead || result.standing == Standing::behind_within_noise)) {
    challenge(result.incumbent, archive, cell, ahead, effects);
  }
  return result.took_cell();
}

void Population::apply_change(std::size_t island, const CellChange& change,
                              std::vector<Effect>& effects) {
  if (change.entered == 0 && change.left == 0) return;
  // Seated first: who moves within its own cell must not lose its rank.
  if (change.entered != 0) seat(change.entered);
  if (change.left != 0) unseat(change.left);
  islands_[island].quiet = 0;
  Effect effect{
      change.entered != 0 ? "elite" : "vacated",
      {{"island", island}, {"cell", feature_map_.bins_of(change.cell)}}};
  if (change.entered != 0) effect.detail["candidate"] = change.entered;
  if (change.left != 0) effect.detail["displaced"] = change.left;
  effects.push_back(std::move(effect));
}

bool Population::add(const Candidate& candidate, const Outcome& outcome,
                     const Score& score, std::vector<Effect>& effects) {
  const Body body = make_body(candidate, outcome);
  Entry& added = entry(candidate.id);
  added.score = score;
  added.lineage = lineage_of(candidate);
  added.cell = cell_of(outcome);
  const CellIndex cell = added.cell;
  const bool founder = candidate.generation == 0;
  if (founder) founders_.push_back(body);
  bool took_any = false;
  for (std::size_t i = 0; i < islands_.size(); ++i) {
    if (!founder && static_cast<int>(i) != candidate.island) continue;
    took_any = offer(i, {body, score}, cell, true, effects) || took_any;
  }
  return took_any;
}

void Population::reuse(CandidateId owner, const Candidate& again,
                       bool same_genome, std::vector<Effect>& effects) {
  const auto island = static_cast<std::size_t>(again.island);
  const Entry* known = find(owner);
  if (!known || !known->score || island >= islands_.size()) return;
  Body body = body_of(owner);
  if (!body) {
    if (!same_genome) return;  // nobody has its text any more
    Candidate candidate = known->lineage;
    candidate.text = again.text;
    candidate.genome_hash = again.genome_hash;
    Outcome outcome;
    outcome.candidate = owner;
    outcome.kind = OutcomeKind::measured;
    outcome.stage = Stage::time;
    outcome.fitness = known->score->fitness();
    body = make_body(candidate, outcome);
  }
  offer(island, {body, *known->score}, known->cell, false, effects);
}

void Population::rescore(const Candidate& candidate, const Outcome& outcome,
                         const Score& score, std::vector<Effect>& effects) {
  Entry& changed = entry(candidate.id);
  if (!changed.score) return;
  const Body body = make_body(candidate, outcome);
  if (changed.seats > 0) {
    ranked_.erase({changed.score->log_value, candidate.id});
    ranked_.insert({score.log_value, candidate.id});
  }
  changed.score = score;
  const CellIndex cell = changed.cell;
  for (Body& founder : founders_) {
    if (founder->candidate.id == candidate.id) founder = body;
  }
  const uint64_t visited = changed.visited;
  for (std::size_t i = 0; i < islands_.size(); ++i) {
    if ((visited & bit(i)) == 0) continue;
    islands_[i].archive.rescore(cell, {body, score});
    if (!islands_[i].archive.holds(cell, candidate.id)) continue;
    apply_change(i, islands_[i].archive.settle(cell), effects);
  }
}

void Population::disqualify(CandidateId id, std::vector<Effect>& effects) {
  Entry& failed = entry(id);
  if (!failed.score) return;
  ranked_.erase({failed.score->log_value, id});
  failed.score.reset();
  std::erase_if(founders_, [&](const Body& founder) {
    return founder->candidate.id == id;
  });
  effects.push_back({"disqualified", {{"candidate", id}}});
  const CellIndex cell = failed.cell;
  const uint64_t visited = failed.visited;
  for (std::size_t i = 0; i < islands_.size(); ++i) {
    if ((visited & bit(i)) == 0) continue;
    apply_change(i, islands_[i].archive.disqualify(cell, id), effects);
    if (!islands_[i].archive.empty()) continue;
    // Nobody is left here: back to the founders that still stand.
    for (const Body& founder : founders_) {
      const Entry& known = *find(founder->candidate.id);
      offer(i, {founder, *known.score}, known.cell, false, effects);
    }
  }
}

void Population::reward_curiosity(int island, CandidateId parent,
                                  bool took_cell) {
  const Entry* entry = find(parent);
  if (!entry || island < 0 || island >= static_cast<int>(islands_.size())) {
    return;
  }
  islands_[static_cast<std::size_t>(island)].archive.reward_curiosity(
      entry->cell, took_cell);
}

void Population::migrate(std::vector<Effect>& effects) {
  const auto has_been = [this](CandidateId id, std::size_t island) {
    return (find(id)->visited & bit(island)) != 0;
  };
  for (const Migrant& migrant :
       choose_migrants(islands_, config_.islands.migrants, has_been)) {
    effects.push_back({"migrated",
                       {{"candidate", migrant.member.id()},
                        {"from", migrant.from},
                        {"to", migrant.to}}});
    offer(migrant.to, migrant.member, migrant.cell, false, effects);
  }
}

void Population::count_quiet(int island, CandidateId best, const Rng& root,
                             std::vector<Effect>& effects) {
  const auto index = static_cast<std::size_t>(island);
  if (index >= islands_.size()) return;
  Island& counted = islands_[index];
  ++counted.quiet;
  const int limit = config_.islands.stagnation_limit;
  if (limit == 0 || counted.quiet < limit) return;
  counted.quiet = 0;
  const Entry* entry = find(best);
  const bool keeps_best =
      entry && entry->seats == 1 && counted.archive.holds(entry->cell, best);
  if (keeps_best || founders_.empty() || counted.archive.size() < 2) return;
  restart(index, root, effects);
}

void Population::restart(std::size_t index, const Rng& root,
                         std::vector<Effect>& effects) {
  Island& island = islands_[index];
  for (std::size_t slot = 0; slot < island.archive.size(); ++slot) {
    unseat(island.archive.at_slot(slot).id());
  }
  island.archive.clear();
  Rng rng = root.fork("restart/" + std::to_string(index) + "/" +
                      std::to_string(island.restarts));
  ++island.restarts;
  const Body& founder = rng.pick(founders_);
  const CandidateId id = founder->candidate.id;
  effects.push_back({"restarted", {{"island", index}, {"founder", id}}});
  offer(index, {founder, *find(id)->score}, find(id)->cell, false, effects);
}

std::vector<CandidateId> Population::take_remeasures() {
  return std::exchange(remeasures_, {});
}

void Population::add_to(Fingerprint& fingerprint) const {
  fingerprint.add(entries_.size());
  for (const Entry& entry : entries_) {
    fingerprint.add(entry.score.has_value());
    if (entry.score) {
      fingerprint.add(entry.score->log_value);
      fingerprint.add(entry.score->below);
      fingerprint.add(entry.score->above);
      fingerprint.add(entry.score->minimum_effect);
      fingerprint.add(entry.score->raced);
      fingerprint.add(entry.score->measurements);
    }
    fingerprint.add(entry.cell);
    fingerprint.add(entry.lineage.generation);
    fingerprint.add(entry.seats);
    fingerprint.add(entry.visited);
    fingerprint.add(entry.retries);
    fingerprint.add(entry.confirms);
    fingerprint.add(entry.refuted);
    fingerprint.add(entry.remeasuring);
  }
  for (const Island& island : islands_) {
    fingerprint.add(island.quiet);
    fingerprint.add(island.restarts);
    island.archive.add_to(fingerprint);
  }
}

}  // namespace evoke
