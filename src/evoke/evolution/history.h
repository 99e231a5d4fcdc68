// What was tried and what it gave, for proposers that learn from it. Part of
// the fold over applied outcomes; bounded, whatever the length of a run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "evoke/evolution/fingerprint.h"
#include "evoke/evolution/interfaces/event_sink.h"

namespace evoke {

struct HistoryConfig {
  std::size_t ideas = 256;       // remembered
  std::size_t failures = 64;     // remembered with their texts
  std::size_t strategies = 256;  // counted; tags beyond them are not
  // Told to a proposer, at most.
  std::size_t told_ideas = 16;
  std::size_t told_failures = 4;
  std::size_t told_strategies = 24;
};

// Lower case, words joined by hyphens, 40 bytes at most: so that a tag is the
// same one however it was written.
std::string normalised_tag(std::string_view tag);

class History {
 public:
  explicit History(HistoryConfig config = {}) : config_(config) {}

  // A proposal's outcome. `gain`: fitness over the parent's, 0 where it was
  // not measured; `improved`: beyond noise.
  void add(const Step& step, double gain, bool improved);

  // Sets what the request tells of the past: failed siblings, ideas,
  // strategies.
  void tell(ProposalRequest& request) const;
  // Candidates that failed and were not mended since, newest first.
  std::vector<std::shared_ptr<const Exemplar>> unmended() const;

  void add_to(Fingerprint& fingerprint) const;

 private:
  void count_strategies(const Candidate& candidate, double gain, bool improved);

  HistoryConfig config_;
  std::deque<TriedIdea> ideas_;                           // oldest first
  std::deque<std::shared_ptr<const Exemplar>> failures_;  // oldest first
  std::map<std::string, StrategyRecord> strategies_;
  int64_t added_ = 0;
};

}  // namespace evoke
