// Makers' side of a candidate: its text and where it came from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace evoke {

using CandidateId = int64_t;  // 1, 2, ... in order of proposal; 0 is none

// What a proposal cost before it was judged.
struct ProposalCost {
  double seconds = 0;  // 0 for proposers that answer at once
  // Empty: the price is not known. 0 without a paid service.
  std::optional<double> usd = 0;
  bool operator==(const ProposalCost&) const = default;
};

struct Candidate {
  CandidateId id = 0;
  std::string text;  // the kernel file, normalised: the genome
  std::string genome_hash;
  std::vector<CandidateId> parents;  // first the one it was made from
  std::vector<CandidateId> inspirations;
  int island = 0;
  int generation = 0;     // 0 for a founder
  std::string proposer;   // "founder", "parameters", "llm:gpt-x", ...
  std::string operation;  // "step", "jump", "recombine", "improve", ...
  std::string summary;    // one line: what was changed, in words
  // What kind of idea it is ("split-kv", "wider-loads"), as its maker says.
  std::vector<std::string> strategies = {};
  ProposalCost cost = {};
};

}  // namespace evoke
