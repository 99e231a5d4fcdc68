#include "evoke/evaluation/judge/roofline.h"

#include <gtest/gtest.h>

namespace evoke::judge {
namespace {

constexpr Roofline kRoofline{10e9, 100e9, 64 << 20};

TEST(Roofline, ColdCallsAreBoundByTheLargerOfBothTimes) {
  // 1 MB at 10 GB/s is 100 us.
  EXPECT_DOUBLE_EQ(kRoofline.roof_us({1e6, 1e6}, CacheState::cold), 100);
  // 100 MFLOP at 100 GFLOP/s is 1000 us.
  EXPECT_DOUBLE_EQ(kRoofline.roof_us({1e6, 100e6}, CacheState::cold), 1000);
}

TEST(Roofline, WarmCallsAreBoundByArithmeticAlone) {
  EXPECT_DOUBLE_EQ(kRoofline.roof_us({1e6, 1e6}, CacheState::warm), 10);
}

TEST(Roofline, WhatIsUnknownBoundsNothing) {
  EXPECT_EQ(Roofline{}.roof_us({1e6, 1e6}, CacheState::cold), 0);
  const Roofline only_memory{10e9, 0, 0};
  EXPECT_DOUBLE_EQ(only_memory.roof_us({1e6, 1e9}, CacheState::cold), 100);
  EXPECT_EQ(only_memory.roof_us({1e6, 1e9}, CacheState::warm), 0);
}

TEST(Roofline, NoiseOnlyEverSlows) {
  const Roofline better = better_of({10e9, 50e9, 1}, {5e9, 100e9, 2});
  EXPECT_EQ(better.read_bytes_per_s, 10e9);
  EXPECT_EQ(better.flops_per_s, 100e9);
  EXPECT_EQ(better.cold_bytes, 2);
}

}  // namespace
}  // namespace evoke::judge
