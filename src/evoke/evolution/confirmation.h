// Which kernel may be called best. A search score is one lucky draw among
// many, so a would-be best is confirmed first: measured afresh, against the
// best there is, and as long as there is none, against the best founder.
// Founders are confirmed at the end, if nothing better was: a confirmation
// takes as long as judging dozens of candidates.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "evoke/evolution/population.h"

namespace evoke {

struct ConfirmationConfig {
  int interval = 8;     // judged candidates between two confirmations
  double share = 0.25;  // of the time spent on judging, at most; 1: any
  // What a confirmation is taken to cost before there was one.
  double first_cost_s = 0;
  int attempts = 2;  // of one candidate
  // Of a candidate before it is confirmed: one number may be luck, and another
  // costs little beside a confirmation. Founders need none.
  int measurements = 2;
  // Confirmations once the budget has ended: one, and more only while nothing
  // at all was confirmed. A founder comes on top of them then.
  int last = 2;
};

class Confirmation {
 public:
  // Bests that are remembered, in case the latest ones fail.
  static constexpr std::size_t kMaxBests = 8;

  explicit Confirmation(ConfirmationConfig config) : config_(config) {}

  // Whether enough was judged since the last confirmation, and enough time is
  // left for another one beside the search: at its end there is one anyway.
  bool due(double time_left_s) const {
    const double cost = last_cost_s_ > 0 ? last_cost_s_ : config_.first_cost_s;
    return judged_ >= config_.interval &&
           cost_s_ * config_.share >= cost * (1 - config_.share) &&
           time_left_s >= 2 * cost;
  }
  // What a contender must beat: the best, else the best founder that stands.
  std::optional<Member> rival(const Population& population) const;
  // The elite that should be confirmed: the greatest one that beats the rival
  // beyond noise; 0: none.
  CandidateId contender(const Population& population) const;
  // The founder that stands for the best when nothing else does; 0: none.
  CandidateId fallback(const Population& population) const;

  // Whether a contender is to be measured again first.
  bool needs_more(const Candidate& contender, const Entry& entry) const {
    return contender.generation > 0 &&
           entry.score->measurements < config_.measurements;
  }

  void count_judged(double cost_s) {
    ++judged_;
    cost_s_ += cost_s;
  }
  void count_confirmation(double cost_s) {
    judged_ = 0;
    cost_s_ = 0;
    last_cost_s_ = cost_s;
  }
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
  bool may_try(const Entry& entry) const {
    return !entry.refuted && entry.confirms < config_.attempts;
  }

  ConfirmationConfig config_;
  std::vector<Member> bests_;  // in order of confirmation
  // Since the latest confirmation ended.
  int64_t judged_ = 0;
  double cost_s_ = 0;
  double last_cost_s_ = 0;  // of that confirmation
};

}  // namespace evoke
