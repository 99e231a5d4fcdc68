// What was tried and what it gave, for proposers that learn from it. Part of
// the fold over applied outcomes; bounded, whatever the length of a run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "evoke/evolution/fingerprint.h"
#include "evoke/evolution/interfaces/event_sink.h"

namespace evoke {

struct HistoryConfig {
  std::size_t remembered = 512;  // attempts
  std::size_t siblings = 8;      // shown to a proposer, at most
  std::size_t recent = 12;
  std::size_t strategies = 24;
  std::size_t tags = 256;  // kept; a tag beyond them is not counted
};

// Lower case, words joined by hyphens, 40 bytes at most: so that a tag is the
// same one however it was written.
std::string normalised_tag(std::string_view tag);

class History {
 public:
  explicit History(HistoryConfig config = {}) : config_(config) {}

  // A proposal's outcome. `gain`: log ratio over the parent where measured;
  // `improved`: beyond noise.
  void add(const Step& step, std::optional<double> gain, bool improved);
  // What may help a child of `parent`.
  SearchHistory view(CandidateId parent) const;

  void add_to(Fingerprint& fingerprint) const;

 private:
  HistoryConfig config_;
  std::deque<Attempt> attempts_;  // oldest first
  int64_t added_ = 0;
  std::map<std::string, StrategyRecord> strategies_;
};

}  // namespace evoke
