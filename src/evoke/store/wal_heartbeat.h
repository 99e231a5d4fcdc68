// Makes commits survive a power cut within a second: SQLite's log is written
// at each commit but synced only now and then, here.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

#include "evoke/base/error.h"

namespace evoke {

class WalHeartbeat {
 public:
  // A commit waits this long for its sync, plus the sync itself.
  static constexpr int kIntervalMs = 500;

  explicit WalHeartbeat(std::string wal_path);
  ~WalHeartbeat();  // syncs a last time
  WalHeartbeat(const WalHeartbeat&) = delete;
  WalHeartbeat& operator=(const WalHeartbeat&) = delete;

  // After a commit.
  void mark() { unsynced_.store(true, std::memory_order_release); }
  // Why the latest sync failed: what was committed since the one before it
  // may be lost in a power cut, and syncing again would not bring it back.
  Result<void> state() const;
  int64_t syncs() const { return syncs_.load(std::memory_order_relaxed); }

 private:
  void loop();
  void sync();
  std::string wal_path_;
  std::atomic<bool> unsynced_{false};
  std::atomic<int> error_{0};  // errno
  std::atomic<int64_t> syncs_{0};
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace evoke
