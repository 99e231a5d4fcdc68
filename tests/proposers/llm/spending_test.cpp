#include "evoke/proposers/llm/spending.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace evoke::llm {
namespace {

TEST(Spending, CountsWhatIsInFlight) {
  Spending spending(1.0);
  auto first = spending.hold(0.6, nullptr);
  ASSERT_TRUE(first);
  EXPECT_DOUBLE_EQ(spending.held_usd(), 0.6);
  // It waits for the first one, which gives most of its money back.
  std::atomic<bool> held = false;
  std::thread other([&] {
    auto second = spending.hold(0.7, nullptr);
    held = second.has_value();
    if (second) second->settle(0.7);
  });
  first->settle(0.1);
  other.join();
  EXPECT_TRUE(held);
  EXPECT_DOUBLE_EQ(spending.spent_usd(), 0.8);
  EXPECT_DOUBLE_EQ(spending.held_usd(), 0);
  EXPECT_FALSE(spending.exhausted());
}

TEST(Spending, RefusesWhatIsNotThere) {
  Spending spending(1.0, 0.5);
  const auto refused = spending.hold(0.6, nullptr);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ChatErrorKind::over_budget);
  EXPECT_TRUE(spending.exhausted());
}

TEST(Spending, AnUnsettledHoldIsSpent) {
  Spending spending(1.0);
  {
    const auto lost = spending.hold(0.4, nullptr);
  }
  EXPECT_DOUBLE_EQ(spending.spent_usd(), 0.4);
}

TEST(Spending, WaitingEndsWhenTold) {
  Spending spending(1.0);
  const auto first = spending.hold(0.9, nullptr);
  const auto second = spending.hold(0.9, [] { return true; });
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ChatErrorKind::cancelled);
}

TEST(Spending, NeverMoreThanTheBudgetFromManyThreads) {
  Spending spending(1.0);
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        auto hold = spending.hold(0.05, nullptr);
        if (!hold) return;
        hold->settle(0.01);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(spending.spent_usd(), 1.0 + 1e-9);
  EXPECT_GE(spending.spent_usd(), 0.94);
  EXPECT_TRUE(spending.exhausted());
}

TEST(Spending, WithoutABudgetItOnlyCounts) {
  Spending spending;
  auto hold = spending.hold(1e6, nullptr);
  ASSERT_TRUE(hold);
  hold->settle(2);
  EXPECT_DOUBLE_EQ(spending.spent_usd(), 2);
}

}  // namespace
}  // namespace evoke::llm
