#include "evoke/evolution/novelty.h"

namespace evoke {

CandidateId Novelty::owner(std::string_view genome_hash) const {
  const auto found = owners_.find(genome_hash);
  return found == owners_.end() ? 0 : found->second;
}

void Novelty::claim(const std::string& genome_hash, CandidateId id) {
  owners_.emplace(genome_hash, id);
}

void Novelty::alias(const std::string& genome_hash, CandidateId owner) {
  if (owner != 0) owners_.insert_or_assign(genome_hash, owner);
}

}  // namespace evoke
