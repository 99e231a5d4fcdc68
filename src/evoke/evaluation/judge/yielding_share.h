// A share of the device for long work in another process, which stands still
// while somebody claims the device: a claim then need not wait for its end.
#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "evoke/evaluation/judge/device_lock.h"

namespace evoke::judge {

class YieldingShare {
 public:
  // Takes over `share`; `pid` and all that it starts are what works under it.
  YieldingShare(const DeviceLock& lock, DeviceLock::Claim share, pid_t pid,
                std::function<bool()> stop);
  // The process may have ended meanwhile.
  ~YieldingShare();
  YieldingShare(const YieldingShare&) = delete;
  YieldingShare& operator=(const YieldingShare&) = delete;

 private:
  void watch();

  const DeviceLock& lock_;
  DeviceLock::Claim share_;
  pid_t pid_;
  std::function<bool()> stop_;
  std::mutex mutex_;  // guards done_
  std::condition_variable changed_;
  bool done_ = false;
  std::thread watcher_;
};

}  // namespace evoke::judge
