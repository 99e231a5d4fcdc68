#include "evoke/evolution/migration.h"

#include <algorithm>

namespace evoke {

std::vector<Migrant> choose_migrants(
    const std::vector<Island>& islands, int count,
    const std::function<bool(CandidateId, std::size_t)>& has_been) {
  std::vector<Migrant> migrants;
  if (islands.size() < 2) return migrants;
  for (std::size_t from = 0; from < islands.size(); ++from) {
    const std::size_t to = (from + 1) % islands.size();
    const Archive& archive = islands[from].archive;
    int chosen = 0;
    archive.visit_by_rank(kMaxMigrantRank, [&](const Elite& elite) {
      if (chosen >= count) return false;
      if (!has_been(elite.id(), to)) {
        migrants.push_back({from, to, elite.member, elite.cell});
        ++chosen;
      }
      return true;
    });
  }
  return migrants;
}

}  // namespace evoke
