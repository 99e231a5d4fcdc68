// Which kernel may be called best. A search score is one lucky draw among
// many, so a would-be best is confirmed first: measured afresh, against the
// best there is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "evoke/evolution/population.h"

namespace evoke {

struct ConfirmationConfig {
  int interval = 8;  // judged candidates between two confirmations
  int attempts = 2;  // of one candidate
  int last = 3;      // confirmations once the budget has ended
};

class Confirmation {
 public:
  // Bests that are remembered, in case the latest ones fail.
  static constexpr std::size_t kMaxBests = 8;

  explicit Confirmation(ConfirmationConfig config) : config_(config) {}

  // Whether enough was judged since the last confirmation.
  bool due() const {
    return !best() || judged_ - judged_before_ >= config_.interval;
  }
  // The elite that should be confirmed; 0: none. While there is no best that
  // is the greatest score, afterwards the greatest one that beats the best
  // beyond noise.
  CandidateId contender(const Population& population) const;

  void count_judged() { ++judged_; }
  void count_confirmation() { judged_before_ = judged_; }
  void crown(Member member);
  // A best that failed gives way to the best before it. Returns whether the
  // current best changed.
  bool disqualify(CandidateId id);
  void rescore(CandidateId id, const Score& score);

  // nullptr while nothing is confirmed.
  const Member* best() const {
    return bests_.empty() ? nullptr : &bests_.back();
  }
  CandidateId best_id() const { return best() ? best()->id() : 0; }

  void add_to(Fingerprint& fingerprint) const;

 private:
  ConfirmationConfig config_;
  std::vector<Member> bests_;  // in order of confirmation
  int64_t judged_ = 0;
  int64_t judged_before_ = 0;  // when the latest confirmation ended
};

}  // namespace evoke
