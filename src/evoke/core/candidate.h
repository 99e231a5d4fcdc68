// Makers' side of a candidate: its text and where it came from.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace evoke {

using CandidateId = int64_t;  // 1, 2, ... in order of proposal; 0 is none

// What making a proposal took.
struct ProposalCost {
  double latency_s = 0;  // 0 for proposers that answer at once
  double usd = 0;
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
  std::string strategy = {};  // a tag of the direction; empty: none was named
  ProposalCost cost = {};
};

}  // namespace evoke
