#include "evoke/evaluation/judge/novelty.h"

namespace evoke::judge {

CandidateId Novelty::claim(const std::string& identity, CandidateId candidate) {
  const std::lock_guard lock(mutex_);
  return holders_.emplace(identity, candidate).first->second;
}

void Novelty::forget(CandidateId candidate) {
  const std::lock_guard lock(mutex_);
  std::erase_if(holders_,
                [&](const auto& each) { return each.second == candidate; });
}

}  // namespace evoke::judge
