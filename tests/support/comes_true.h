// Waiting for what takes a moment in another thread or process.
#pragma once

#include <chrono>
#include <thread>

namespace evoke::test {

// Within ten seconds.
template <typename Condition>
bool comes_true(Condition condition) {
  for (int i = 0; i < 2'000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

}  // namespace evoke::test
