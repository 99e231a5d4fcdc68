// What was judged already, so that nothing is judged twice: genomes by their
// hash, and genomes whose compiled code turned out to be another's.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "evoke/core/candidate.h"

namespace evoke {

class Novelty {
 public:
  // The candidate under which this genome was judged; 0: it is new.
  CandidateId owner(std::string_view genome_hash) const;
  // From now on the genome belongs to `id`. The first owner stays.
  void claim(const std::string& genome_hash, CandidateId id);
  // The judge found that the genome compiles to the same as `owner` did.
  void alias(const std::string& genome_hash, CandidateId owner);
  std::size_t size() const { return owners_.size(); }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };
  // Looked up only; never walked, so its order cannot matter.
  std::unordered_map<std::string, CandidateId, Hash, std::equal_to<>> owners_;
};

}  // namespace evoke
