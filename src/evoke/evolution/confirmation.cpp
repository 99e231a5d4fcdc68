#include "evoke/evolution/confirmation.h"

#include <algorithm>
#include <utility>

namespace evoke {
namespace {

// Elites ahead of the best within noise are passed over, but not for ever.
constexpr int kMaxLooks = 64;

}  // namespace

std::optional<Member> Confirmation::rival(const Population& population) const {
  return best() ? *best() : population.best_founder();
}

CandidateId Confirmation::contender(const Population& population) const {
  const auto rival_now = rival(population);
  int looks = 0;
  for (const RankKey& key : population.ranked()) {
    if (rival_now && !(key.log_value > rival_now->score.log_value)) return 0;
    if (++looks > kMaxLooks) return 0;
    const Entry& entry = *population.find(key.id);
    if (!may_try(entry)) continue;
    const bool wanted =
        !rival_now ||
        beyond_noise(*entry.score, rival_now->score, population.noise().floor);
    if (wanted) return key.id;
  }
  return 0;
}

CandidateId Confirmation::fallback(const Population& population) const {
  const auto founder = best() ? std::nullopt : population.best_founder();
  if (!founder || !may_try(*population.find(founder->id()))) return 0;
  return founder->id();
}

void Confirmation::crown(Member member) {
  bests_.push_back(std::move(member));
  if (bests_.size() > kMaxBests) bests_.erase(bests_.begin());
}

bool Confirmation::disqualify(CandidateId id) {
  const CandidateId before = best_id();
  std::erase_if(bests_, [id](const Member& best) { return best.id() == id; });
  return best_id() != before;
}

void Confirmation::rescore(CandidateId id, const Score& score) {
  for (Member& best : bests_) {
    if (best.id() == id) best.score = score;
  }
}

void Confirmation::add_to(Fingerprint& fingerprint) const {
  fingerprint.add(bests_.size());
  for (const Member& best : bests_) {
    fingerprint.add(best.id());
    fingerprint.add(best.score.log_value);
  }
  fingerprint.add(judged_);
  fingerprint.add(cost_s_);
  fingerprint.add(last_cost_s_);
}

}  // namespace evoke
