#include "evoke/evolution/archive.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace evoke {
namespace {

void add_member(Fingerprint& fingerprint, const Member& member) {
  fingerprint.add(member.id());
  fingerprint.add(member.score.log_value);
  fingerprint.add(member.score.below);
  fingerprint.add(member.score.above);
  fingerprint.add(member.score.minimum_effect);
  fingerprint.add(member.score.measurements);
}

}  // namespace

Archive::Archive(CellIndex num_cells, double noise_floor)
    : noise_floor_(noise_floor),
      slot_of_cell_(static_cast<std::size_t>(num_cells), -1) {}

std::size_t Archive::slot_of(CellIndex cell) const {
  return static_cast<std::size_t>(
      slot_of_cell_[static_cast<std::size_t>(cell)]);
}

const Elite* Archive::find(CellIndex cell) const {
  const int32_t slot = slot_of_cell_[static_cast<std::size_t>(cell)];
  return slot < 0 ? nullptr : &elites_[static_cast<std::size_t>(slot)];
}

Elite* Archive::elite_at(CellIndex cell) {
  return find(cell) ? &elites_[slot_of(cell)] : nullptr;
}

bool Archive::holds(CellIndex cell, CandidateId id) const {
  const Elite* elite = find(cell);
  return elite && elite->id() == id;
}

const Elite& Archive::at_rank(std::size_t rank) const {
  const auto found =
      std::next(ranks_.begin(), static_cast<std::ptrdiff_t>(rank));
  return elites_[slot_of(found->second)];
}

void Archive::open(const Member& member, CellIndex cell) {
  slot_of_cell_[static_cast<std::size_t>(cell)] =
      static_cast<int32_t>(elites_.size());
  Elite elite;
  elite.member = member;
  elite.cell = cell;
  curiosity_.push_back(elite.curiosity);
  elites_.push_back(std::move(elite));
  ranks_.emplace(key_of(member), cell);
}

void Archive::seat(Elite& elite, Member member) {
  ranks_.erase(key_of(elite.member));
  elite.member = std::move(member);
  ranks_.emplace(key_of(elite.member), elite.cell);
}

void Archive::close(CellIndex cell) {
  const std::size_t slot = slot_of(cell);
  ranks_.erase(key_of(elites_[slot].member));
  if (slot + 1 != elites_.size()) {
    elites_[slot] = std::move(elites_.back());
    curiosity_.set(slot, elites_[slot].curiosity);
    slot_of_cell_[static_cast<std::size_t>(elites_[slot].cell)] =
        static_cast<int32_t>(slot);
  }
  elites_.pop_back();
  curiosity_.pop_back();
  slot_of_cell_[static_cast<std::size_t>(cell)] = -1;
}

OfferResult Archive::offer(const Member& newcomer, CellIndex cell,
                           bool challenge) {
  Elite* elite = elite_at(cell);
  if (!elite) {
    open(newcomer, cell);
    return {Standing::opened, 0};
  }
  const CandidateId incumbent = elite->id();
  const Score& held = elite->member.score;
  if (incumbent == newcomer.id()) return {Standing::present, incumbent};
  if (beyond_noise(newcomer.score, held, noise_floor_)) {
    elite->displaced.push_back(elite->member);
    if (elite->displaced.size() > kMaxDisplaced) {
      elite->displaced.erase(elite->displaced.begin());
    }
    elite->challenges = 0;
    elite->challenger.reset();
    seat(*elite, newcomer);
    return {Standing::replaced, incumbent};
  }
  if (beyond_noise(held, newcomer.score, noise_floor_)) {
    return {Standing::behind, incumbent};
  }
  const bool ahead = newcomer.score.log_value > held.log_value;
  if (challenge) {
    ++elite->challenges;
    if (ahead &&
        (!elite->challenger || key_of(newcomer) < key_of(*elite->challenger))) {
      elite->challenger = newcomer;
    }
  }
  return {ahead ? Standing::ahead_within_noise : Standing::behind_within_noise,
          incumbent};
}

void Archive::rescore(CellIndex cell, const Member& member) {
  Elite* elite = elite_at(cell);
  if (!elite) return;
  if (elite->id() == member.id()) {
    seat(*elite, member);
    elite->challenges = 0;
    return;
  }
  if (elite->challenger && elite->challenger->id() == member.id()) {
    elite->challenger = member;
  }
  for (Member& former : elite->displaced) {
    if (former.id() == member.id()) former = member;
  }
}

CellChange Archive::settle(CellIndex cell) {
  Elite* elite = elite_at(cell);
  if (!elite) return {cell, 0, 0};
  const CandidateId incumbent = elite->id();
  std::optional<Member> challenger = std::exchange(elite->challenger, {});
  const auto wins = [&](const Member& member) {
    return beyond_noise(member.score, elite->member.score, noise_floor_);
  };
  auto best = elite->displaced.end();
  for (auto it = elite->displaced.begin(); it != elite->displaced.end(); ++it) {
    const bool better =
        best == elite->displaced.end() || key_of(*it) < key_of(*best);
    if (wins(*it) && better) best = it;
  }
  const bool challenger_wins = challenger && wins(*challenger);
  if (challenger_wins &&
      (best == elite->displaced.end() || key_of(*challenger) < key_of(*best))) {
    // The elite that lost goes among the former ones.
    if (elite->displaced.size() == kMaxDisplaced) {
      elite->displaced.erase(elite->displaced.begin());
    }
    elite->displaced.push_back(elite->member);
    seat(*elite, *std::move(challenger));
  } else if (best != elite->displaced.end()) {
    Member back = *best;
    elite->displaced.erase(best);
    seat(*elite, std::move(back));
  } else {
    return {cell, 0, 0};
  }
  elite->challenges = 0;
  return {cell, elite->id(), incumbent};
}

CellChange Archive::disqualify(CellIndex cell, CandidateId id) {
  Elite* elite = elite_at(cell);
  if (!elite) return {cell, 0, 0};
  std::erase_if(elite->displaced,
                [&](const Member& member) { return member.id() == id; });
  if (elite->challenger && elite->challenger->id() == id) {
    elite->challenger.reset();
  }
  if (elite->id() != id) return {cell, 0, 0};
  std::vector<Member> heirs = elite->displaced;
  if (elite->challenger) heirs.push_back(*elite->challenger);
  if (heirs.empty()) {
    close(cell);
    return {cell, 0, id};
  }
  const auto heir = std::min_element(
      heirs.begin(), heirs.end(),
      [](const Member& a, const Member& b) { return key_of(a) < key_of(b); });
  elite->challenger.reset();
  elite->challenges = 0;
  std::erase_if(elite->displaced, [&](const Member& member) {
    return member.id() == heir->id();
  });
  seat(*elite, *heir);
  return {cell, elite->id(), id};
}

void Archive::clear() {
  for (const Elite& elite : elites_) {
    slot_of_cell_[static_cast<std::size_t>(elite.cell)] = -1;
  }
  elites_.clear();
  ranks_.clear();
  curiosity_ = WeightTree();
}

void Archive::reward_curiosity(CellIndex cell, bool child_took_cell) {
  Elite* elite = elite_at(cell);
  if (!elite) return;
  const double changed =
      child_took_cell ? elite->curiosity + 1 : elite->curiosity * 0.9;
  elite->curiosity = std::clamp(changed, kMinCuriosity, kMaxCuriosity);
  curiosity_.set(slot_of(cell), elite->curiosity);
}

void Archive::add_to(Fingerprint& fingerprint) const {
  fingerprint.add(elites_.size());
  for (const Elite& elite : elites_) {
    fingerprint.add(elite.cell);
    fingerprint.add(elite.curiosity);
    fingerprint.add(elite.challenges);
    add_member(fingerprint, elite.member);
    fingerprint.add(elite.challenger.has_value());
    if (elite.challenger) add_member(fingerprint, *elite.challenger);
    fingerprint.add(elite.displaced.size());
    for (const Member& former : elite.displaced) {
      add_member(fingerprint, former);
    }
  }
}

}  // namespace evoke
