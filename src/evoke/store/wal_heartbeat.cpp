#include "evoke/store/wal_heartbeat.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>

#include "evoke/base/fd.h"
#include "evoke/base/log.h"

namespace evoke {

WalHeartbeat::WalHeartbeat(std::string wal_path)
    : wal_path_(std::move(wal_path)), thread_([this] { loop(); }) {}

WalHeartbeat::~WalHeartbeat() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void WalHeartbeat::loop() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    wake_.wait_for(lock, std::chrono::milliseconds(kIntervalMs));
    sync();
  }
}

void WalHeartbeat::sync() {
  if (!unsynced_.exchange(false, std::memory_order_acquire)) return;
  // Absent: the log was folded into the database, which SQLite syncs itself.
  const Fd fd(::open(wal_path_.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.valid() && ::fsync(fd.get()) != 0) {
    log_warn(wal_path_ + ": sync: " + std::strerror(errno) +
             "; the last steps would not survive a power cut");
  }
}

}  // namespace evoke
