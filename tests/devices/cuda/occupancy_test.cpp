#include "evoke/devices/cuda/occupancy.h"

#include <gtest/gtest.h>

namespace evoke::cuda {
namespace {

// Expected values: NVIDIA's occupancy calculator for compute capability 9.0.
TEST(Occupancy, IsWhatRunsOutFirst) {
  const SmLimits hopper;
  const Occupancy light = occupancy_of(32, 256, 0, hopper);
  EXPECT_EQ(light.threadgroups, 8);
  EXPECT_EQ(light.limited_by, "registers");
  EXPECT_EQ(light.fraction, 1.0);
  EXPECT_EQ(occupancy_of(40, 256, 0, hopper).threadgroups, 6);
  EXPECT_EQ(occupancy_of(255, 128, 0, hopper).threadgroups, 2);
  EXPECT_EQ(occupancy_of(168, 384, 0, hopper).threadgroups, 1);
  const Occupancy small = occupancy_of(16, 32, 0, hopper);
  EXPECT_EQ(small.threadgroups, 32);
  EXPECT_EQ(small.limited_by, "threadgroups");
  EXPECT_EQ(small.fraction, 0.5);
}

TEST(Occupancy, CountsWhatTheSystemReserves) {
  const SmLimits hopper;
  EXPECT_EQ(occupancy_of(32, 128, 227 << 10, hopper).threadgroups, 1);
  EXPECT_EQ(occupancy_of(32, 128, 113 << 10, hopper).threadgroups, 2);
  EXPECT_EQ(occupancy_of(32, 128, 114 << 10, hopper).threadgroups, 1);
  EXPECT_EQ(occupancy_of(32, 128, 114 << 10, hopper).limited_by,
            "threadgroup memory");
}

TEST(Occupancy, WhatCannotRunIsZero) {
  EXPECT_EQ(occupancy_of(255, 1024, 0, {}).threadgroups, 0);
  EXPECT_EQ(occupancy_of(32, 128, 228 << 10, {}).threadgroups, 0);
}

}  // namespace
}  // namespace evoke::cuda
