// Who goes from which island to which.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "evoke/evolution/island.h"

namespace evoke {

struct Migrant {
  std::size_t from = 0;
  std::size_t to = 0;
  Member member;
  CellIndex cell = 0;
};

// At most this many of an island's best are looked at.
inline constexpr std::size_t kMaxMigrantRank = 256;

// The best elites of each island that have never been on the next island of
// the ring, `count` per island. All are chosen before any has moved.
// `has_been(id, island)`: it came from there, or went there before.
std::vector<Migrant> choose_migrants(
    const std::vector<Island>& islands, int count,
    const std::function<bool(CandidateId, std::size_t)>& has_been);

}  // namespace evoke
