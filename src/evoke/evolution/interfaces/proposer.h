// Makes a candidate's text from parents. Implementations: proposers/.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/core/candidate.h"
#include "evoke/core/outcome.h"

namespace evoke {

// A judged candidate, as proposers see it.
struct Exemplar {
  Candidate candidate;
  Outcome outcome;
};

struct ProposalRequest {
  int64_t id = 0;  // 1, 2, ...: becomes the candidate's id
  int island = 0;
  std::string operation;  // empty: the proposer chooses
  uint64_t rng_seed = 0;  // all randomness of this proposal comes from it
  Exemplar parent;
  std::vector<Exemplar> inspirations;  // distinct from the parent and each
                                       // other; best first
  int attempt = 0;                     // > 0: earlier answers were duplicates
};

struct Proposal {
  std::string text;                  // a kernel file, normalised
  std::vector<CandidateId> parents;  // first the one it was made from
  std::string operation;
  std::string summary;
  std::string proposer = {};  // "llm:gpt-x"; empty: the run's proposer
};

class Proposer {
 public:
  virtual ~Proposer() = default;
  virtual std::string name() const = 0;
  // May block; called from one thread at a time. `absent`: nothing new can be
  // made from this parent (the search tries another one).
  virtual Result<Proposal> propose(const ProposalRequest& request) = 0;
};

}  // namespace evoke
