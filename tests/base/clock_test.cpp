#include "evoke/base/clock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace evoke {
namespace {

TEST(Clock, NeverRunsBackwards) {
  int64_t last = monotonic_ns();
  for (int i = 0; i < 10'000; ++i) {
    const int64_t now = monotonic_ns();
    ASSERT_GE(now, last);
    last = now;
  }
}

TEST(Clock, UtcIsWrittenAsInIso8601) {
  EXPECT_THAT(utc_now(), testing::MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T"
                                               "[0-9]{2}:[0-9]{2}:[0-9]{2}Z"));
}

}  // namespace
}  // namespace evoke
