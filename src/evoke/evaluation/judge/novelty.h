// What was judged before: the same genome, or the same machine code launched
// in the same way. Thread-safe.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "evoke/core/candidate.h"

namespace evoke::judge {

class Novelty {
 public:
  // The candidate that holds this identity: `candidate` itself when it is new
  // (and from now on holds it), or the one before it.
  CandidateId claim(const std::string& identity, CandidateId candidate);
  // Gives up what this candidate holds: its judging came to nothing.
  void forget(CandidateId candidate);

 private:
  std::mutex mutex_;
  std::map<std::string, CandidateId> holders_;
};

}  // namespace evoke::judge
