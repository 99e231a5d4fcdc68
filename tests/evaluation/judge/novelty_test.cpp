#include "evoke/evaluation/judge/novelty.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace evoke::judge {
namespace {

TEST(Novelty, TheFirstOneHoldsAnIdentity) {
  Novelty novelty;
  EXPECT_EQ(novelty.claim("a", 1), 1);
  EXPECT_EQ(novelty.claim("a", 2), 1);
  EXPECT_EQ(novelty.claim("b", 2), 2);
  EXPECT_EQ(novelty.claim("a", 1), 1);  // a retry
}

TEST(Novelty, WhatCameToNothingIsForgotten) {
  Novelty novelty;
  novelty.claim("genome", 1);
  novelty.claim("objects", 1);
  novelty.claim("other", 2);
  novelty.forget(1);
  EXPECT_EQ(novelty.claim("genome", 3), 3);
  EXPECT_EQ(novelty.claim("objects", 3), 3);
  EXPECT_EQ(novelty.claim("other", 3), 2);
  novelty.forget(99);
  EXPECT_EQ(novelty.claim("other", 3), 2);
}

TEST(Novelty, OneOfManyThreadsIsFirst) {
  Novelty novelty;
  for (int round = 0; round < 50; ++round) {
    const std::string identity = std::to_string(round);
    std::atomic<int> holders{0};
    std::vector<std::thread> threads;
    for (int t = 1; t <= 4; ++t) {
      threads.emplace_back([&, t] {
        if (novelty.claim(identity, t) == t) ++holders;
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(holders, 1);
  }
}

}  // namespace
}  // namespace evoke::judge
