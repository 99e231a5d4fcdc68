#include "evoke/evaluation/judge/race_turns.h"

#include <algorithm>
#include <chrono>
#include <thread>

namespace evoke::judge {
namespace {

constexpr int64_t kLongestClaimNs = 4'000'000'000;
constexpr int64_t kLongestRestNs = 2'000'000'000;
// Of a claim's time, when candidates wait already.
constexpr int64_t kShortRest = 4;

}  // namespace

std::optional<RaceTurns::Turn> RaceTurns::take(
    const std::function<bool()>& stop) {
  ++waiting_;
  std::unique_lock alone(mutex_);
  --waiting_;
  int64_t claim_ns = 0;
  if (!claim_) {
    while (now_ns_() < rest_until_ns_) {
      if (stop()) return std::nullopt;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    const int64_t asked_ns = now_ns_();
    claim_ = lock_.claim(stop);
    if (!claim_) return std::nullopt;
    claimed_ns_ = now_ns_();
    claim_ns = claimed_ns_ - asked_ns;
  }
  return Turn(this, std::move(alone), claim_ns);
}

void RaceTurns::end() {
  const int64_t now_ns = now_ns_();
  const int64_t lasted_ns = now_ns - claimed_ns_;
  const bool candidates_wait = waiting_ > 0;
  if (candidates_wait && lasted_ns < kLongestClaimNs) return;
  const bool calls_wait = lock_.shares_wait();
  claim_.reset();
  rest_until_ns_ = now_ns;
  if (calls_wait) {
    rest_until_ns_ += std::min(
        kLongestRestNs, candidates_wait ? lasted_ns / kShortRest : lasted_ns);
  }
}

}  // namespace evoke::judge
