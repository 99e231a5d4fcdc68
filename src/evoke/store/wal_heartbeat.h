// Makes commits survive a power cut within a second: SQLite's log is written
// at each commit but synced only now and then, here.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace evoke {

class WalHeartbeat {
 public:
  static constexpr int kIntervalMs = 500;

  explicit WalHeartbeat(std::string wal_path);
  ~WalHeartbeat();  // syncs a last time
  WalHeartbeat(const WalHeartbeat&) = delete;
  WalHeartbeat& operator=(const WalHeartbeat&) = delete;

  // After a commit.
  void mark() { unsynced_.store(true, std::memory_order_release); }

 private:
  void loop();
  void sync();
  std::string wal_path_;
  std::atomic<bool> unsynced_{false};
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace evoke
