// The memory of a device that has its own, counted: what a gate is about to
// need there is known before anything is launched, and many gates at a time
// must not need more than there is.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>

namespace evoke::judge {

// Who has inputs or outputs there at a time, an equal share each: the
// reference, candidates that are timed, a baseline, both sides of a
// confirmation, and all gates together.
inline constexpr int64_t kDeviceShares = 6;

// Thread-safe.
class DeviceMemory {
 public:
  // 0: nothing is counted.
  explicit DeviceMemory(int64_t total_bytes) : total_bytes_(total_bytes) {}

  // Given back when it is destroyed; the counter must outlive it.
  class Share {
   public:
    Share(Share&& other) noexcept
        : memory_(std::exchange(other.memory_, nullptr)),
          bytes_(other.bytes_) {}
    Share& operator=(Share&& other) noexcept {
      std::swap(memory_, other.memory_);
      std::swap(bytes_, other.bytes_);
      return *this;
    }
    ~Share() {
      if (memory_) memory_->give_back(bytes_);
    }
    int64_t bytes() const { return bytes_; }

   private:
    friend class DeviceMemory;
    Share(DeviceMemory* memory, int64_t bytes)
        : memory_(memory), bytes_(bytes) {}
    DeviceMemory* memory_;
    int64_t bytes_;
  };

  // Waits, first come first served, until so much is left; who asks for more
  // than there is waits until nobody else has any. Empty only when `stop` said
  // so while waiting.
  std::optional<Share> take(int64_t bytes, const std::function<bool()>& stop);
  int64_t taken_bytes() const;

 private:
  void give_back(int64_t bytes);

  const int64_t total_bytes_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  int64_t taken_ = 0;
  std::deque<uint64_t> line_;  // who waits
  uint64_t next_ticket_ = 0;
};

}  // namespace evoke::judge
