#include "evoke/evolution/budget.h"

#include <gtest/gtest.h>

#include <cmath>

#include "evoke/base/error.h"

namespace evoke {
namespace {

TEST(Budget, ZeroMeansNoLimit) {
  const Budget budget({.iterations = 0, .time_s = 0});
  EXPECT_TRUE(budget.allows_proposal(1 << 30));
  EXPECT_FALSE(budget.exhausted(1e9, 1 << 30, 100).has_value());
}

TEST(Budget, EachLimitEndsTheSearch) {
  const Budget budget(
      {.iterations = 10, .time_s = 60, .patience = 5, .target_score = 2});
  EXPECT_TRUE(budget.allows_proposal(9));
  EXPECT_FALSE(budget.allows_proposal(10));
  EXPECT_FALSE(budget.exhausted(59.9, 4, 1.99).has_value());
  EXPECT_EQ(budget.exhausted(60, 0, 0), StopReason::time);
  EXPECT_EQ(budget.exhausted(std::nan(""), 0, 0), StopReason::time);
  EXPECT_EQ(budget.exhausted(0, 5, 0), StopReason::patience);
  EXPECT_EQ(budget.exhausted(0, 0, 2), StopReason::target);
}

TEST(Budget, RefusesNegativeLimits) {
  EXPECT_THROW(Budget({.iterations = -1}), UsageError);
  EXPECT_THROW(Budget({.time_s = -1}), UsageError);
  EXPECT_THROW(Budget({.time_s = std::nan("")}), UsageError);
}

}  // namespace
}  // namespace evoke
