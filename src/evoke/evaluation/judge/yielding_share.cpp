#include "evoke/evaluation/judge/yielding_share.h"

#include <chrono>
#include <utility>

#include "evoke/evaluation/judge/process.h"

namespace evoke::judge {
namespace {

constexpr auto kLookEvery = std::chrono::milliseconds(2);

}  // namespace

YieldingShare::YieldingShare(const DeviceLock& lock, DeviceLock::Claim share,
                             pid_t pid, std::function<bool()> stop)
    : lock_(lock),
      share_(std::move(share)),
      pid_(pid),
      stop_(std::move(stop)),
      watcher_([this] { watch(); }) {}

YieldingShare::~YieldingShare() {
  {
    const std::lock_guard lock(mutex_);
    done_ = true;
  }
  changed_.notify_all();
  watcher_.join();
}

void YieldingShare::watch() {
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, kLookEvery, [this] { return done_; })) {
    if (!lock_.claim_waits()) continue;
    if (!pause_with_descendants(pid_)) return;
    share_ = DeviceLock::Claim();
    // Behind the claim; without one when everything is to stop.
    auto again = lock_.share(stop_);
    resume_with_descendants(pid_);
    if (!again) return;
    share_ = std::move(*again);
  }
}

}  // namespace evoke::judge
