#include "evoke/evaluation/judge/device_memory.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace evoke::judge {
namespace {

const auto never = [] { return false; };

TEST(DeviceMemory, WhatIsNotCountedIsThere) {
  DeviceMemory memory(0);
  const auto share = memory.take(int64_t{1} << 50, never);
  ASSERT_TRUE(share);
  EXPECT_EQ(share->bytes(), int64_t{1} << 50);
  EXPECT_EQ(memory.taken_bytes(), 0);
}

TEST(DeviceMemory, SharesAreGivenBack) {
  DeviceMemory memory(100);
  {
    const auto one = memory.take(60, never);
    const auto other = memory.take(40, never);
    ASSERT_TRUE(one && other);
    EXPECT_EQ(memory.taken_bytes(), 100);
    EXPECT_FALSE(memory.take(1, [] { return true; }));
  }
  EXPECT_EQ(memory.taken_bytes(), 0);
  EXPECT_TRUE(memory.take(100, [] { return true; })) << "nothing to wait for";
}

TEST(DeviceMemory, TooMuchIsTakenAlone) {
  DeviceMemory memory(100);
  std::optional<DeviceMemory::Share> small = memory.take(1, never);
  EXPECT_FALSE(memory.take(1000, [] { return true; }));
  small.reset();
  const auto large = memory.take(1000, never);
  ASSERT_TRUE(large);
  EXPECT_FALSE(memory.take(1, [] { return true; }));
}

TEST(DeviceMemory, NobodyOvertakes) {
  DeviceMemory memory(100);
  std::optional<DeviceMemory::Share> first = memory.take(60, never);
  std::atomic<bool> large_waits{false};
  std::atomic<bool> large_has{false};
  std::thread large([&] {
    const auto share = memory.take(90, [&] {
      large_waits = true;
      return false;
    });
    EXPECT_TRUE(share);
    large_has = true;
  });
  while (!large_waits) std::this_thread::yield();
  // It would fit, but another was there before.
  int asked = 0;
  EXPECT_FALSE(memory.take(10, [&] { return ++asked > 2; }));
  EXPECT_FALSE(large_has);
  first.reset();
  large.join();
  EXPECT_TRUE(large_has);
  EXPECT_EQ(memory.taken_bytes(), 0);
}

TEST(DeviceMemory, NeverMoreThanThereIs) {
  constexpr int64_t kTotal = 100;
  DeviceMemory memory(kTotal);
  std::atomic<int64_t> in_use{0};
  std::atomic<int64_t> most{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 200; ++i) {
        const int64_t bytes = 1 + (t * 37 + i * 11) % 60;
        const auto share = memory.take(bytes, never);
        ASSERT_TRUE(share);
        const int64_t now = in_use += bytes;
        int64_t seen = most;
        while (now > seen && !most.compare_exchange_weak(seen, now)) {
        }
        in_use -= bytes;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(most, kTotal);
  EXPECT_GT(most, 0);
  EXPECT_EQ(memory.taken_bytes(), 0);
}

}  // namespace
}  // namespace evoke::judge
