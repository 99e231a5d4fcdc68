#include "evoke/store/wal_heartbeat.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "evoke/base/fd.h"

namespace evoke {
namespace {

// Onto the medium: fsync() on macOS leaves the data in the drive's own cache.
int sync_file(int fd) {
#ifdef F_FULLFSYNC
  if (::fcntl(fd, F_FULLFSYNC) == 0) return 0;
#endif
  return ::fsync(fd);
}

}  // namespace

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

Result<void> WalHeartbeat::state() const {
  const int error = error_.load(std::memory_order_acquire);
  if (error == 0) return {};
  return failed(wal_path_ + ": sync: " + std::strerror(error));
}

void WalHeartbeat::loop() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    wake_.wait_for(lock, std::chrono::milliseconds(kIntervalMs),
                   [this] { return stopping_; });
    sync();
  }
}

void WalHeartbeat::sync() {
  if (!unsynced_.exchange(false, std::memory_order_acquire)) return;
  // Absent: the log was folded into the database, which SQLite syncs itself.
  const Fd fd(::open(wal_path_.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid() && errno == ENOENT) return;
  if (!fd.valid() || sync_file(fd.get()) != 0) {
    error_.store(errno, std::memory_order_release);
    return;
  }
  syncs_.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace evoke
