#include "evoke/evaluation/judge/device_memory.h"

#include <algorithm>
#include <chrono>

namespace evoke::judge {
namespace {

constexpr auto kAskAgain = std::chrono::milliseconds(50);  // whether to stop

}  // namespace

std::optional<DeviceMemory::Share> DeviceMemory::take(
    int64_t bytes, const std::function<bool()>& stop) {
  if (total_bytes_ <= 0) return Share(nullptr, bytes);
  std::unique_lock lock(mutex_);
  const uint64_t ticket = next_ticket_++;
  line_.push_back(ticket);
  const auto my_turn = [&] {
    return line_.front() == ticket &&
           (taken_ == 0 || taken_ + bytes <= total_bytes_);
  };
  bool stopped = false;
  while (!my_turn() && !(stopped = stop())) changed_.wait_for(lock, kAskAgain);
  line_.erase(std::find(line_.begin(), line_.end(), ticket));
  if (!stopped) taken_ += bytes;
  changed_.notify_all();  // the next in line
  if (stopped) return std::nullopt;
  return Share(this, bytes);
}

int64_t DeviceMemory::taken_bytes() const {
  const std::lock_guard lock(mutex_);
  return taken_;
}

void DeviceMemory::give_back(int64_t bytes) {
  const std::lock_guard lock(mutex_);
  taken_ -= bytes;
  changed_.notify_all();
}

}  // namespace evoke::judge
