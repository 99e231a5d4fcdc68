// Whose turn it is on a device where candidates are timed one after another
// while others are checked there, call by call.
//
// An exclusive claim costs more than the time it is held for: it waits for all
// calls that run, and meanwhile nobody else's begins. So candidates that wait
// have their turns under one claim, and when calls were kept waiting the device
// is theirs for as long as the claim was not (less while candidates still
// wait).
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>

#include "evoke/base/clock.h"
#include "evoke/evaluation/judge/device_lock.h"

namespace evoke::judge {

class RaceTurns {
 public:
  explicit RaceTurns(const DeviceLock& lock,
                     std::function<int64_t()> now_ns = monotonic_ns)
      : lock_(lock), now_ns_(std::move(now_ns)) {}

  // The device is its holder's alone.
  class Turn {
   public:
    Turn(Turn&& other) noexcept
        : turns_(std::exchange(other.turns_, nullptr)),
          alone_(std::move(other.alone_)),
          claim_ns_(other.claim_ns_) {}
    Turn& operator=(Turn&&) = delete;
    ~Turn() {
      if (turns_ != nullptr) turns_->end();
    }
    // For how long it waited for others' calls, with the device nobody's.
    int64_t claim_ns() const { return claim_ns_; }

   private:
    friend class RaceTurns;
    Turn(RaceTurns* turns, std::unique_lock<std::mutex> alone, int64_t claim_ns)
        : turns_(turns), alone_(std::move(alone)), claim_ns_(claim_ns) {}
    RaceTurns* turns_;
    std::unique_lock<std::mutex> alone_;
    int64_t claim_ns_;
  };
  // Whoever takes one must hold no share. Empty: `stop` said so.
  std::optional<Turn> take(const std::function<bool()>& stop);
  int candidates_waiting() const { return waiting_; }

 private:
  void end();

  const DeviceLock& lock_;
  const std::function<int64_t()> now_ns_;
  std::atomic<int> waiting_ = 0;
  std::mutex mutex_;  // held for as long as a turn lasts; guards what follows
  std::optional<DeviceLock::Claim> claim_;
  int64_t claimed_ns_ = 0;  // since when the claim is held
  int64_t rest_until_ns_ = 0;
};

}  // namespace evoke::judge
