#include "evoke/proposers/llm/circuit_breaker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

namespace evoke::llm {
namespace {

using Admission = CircuitBreaker::Admission;
using testing::HasSubstr;

struct Told {
  std::vector<std::string> lines;
  BreakerOptions options() {
    return {
        .failures = 3,
        .first_pause_s = 0.05,
        .longest_pause_s = 0.2,
        .give_up_s = 100,
        .notice = [this](const std::string& line) { lines.push_back(line); }};
  }
};

TEST(CircuitBreaker, OpensAfterFailuresInARowAndSaysSo) {
  Told told;
  CircuitBreaker breaker("host", told.options());
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(breaker.enter(nullptr), Admission::go);
    breaker.failed("HTTP 500");
  }
  ASSERT_EQ(breaker.enter(nullptr), Admission::go);
  breaker.succeeded();  // not in a row
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(breaker.open());
    ASSERT_EQ(breaker.enter(nullptr), Admission::go);
    breaker.failed("HTTP 500");
  }
  EXPECT_TRUE(breaker.open());
  ASSERT_EQ(told.lines.size(), 1U);
  EXPECT_THAT(told.lines[0], HasSubstr("host is down (HTTP 500); paused"));

  const auto start = std::chrono::steady_clock::now();
  ASSERT_EQ(breaker.enter(nullptr), Admission::go);  // after the pause
  EXPECT_GE(std::chrono::steady_clock::now() - start,
            std::chrono::milliseconds(40));
  breaker.succeeded();
  EXPECT_FALSE(breaker.open());
  EXPECT_THAT(told.lines.back(), HasSubstr("answers again"));
}

TEST(CircuitBreaker, OneTriesWhileOthersWait) {
  Told told;
  CircuitBreaker breaker("host", told.options());
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(breaker.enter(nullptr), Admission::go);
    breaker.failed("down");
  }
  std::atomic<int> inside = 0;
  std::atomic<int> most = 0;
  std::atomic<int> probes = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&] {
      ASSERT_EQ(breaker.enter(nullptr), Admission::go);
      if (breaker.open()) {
        const int now = ++inside;
        int seen = most;
        while (now > seen && !most.compare_exchange_weak(seen, now)) {
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        --inside;
        if (++probes < 3) {
          breaker.failed("still down");
          ASSERT_EQ(breaker.enter(nullptr), Admission::go);
        }
      }
      breaker.succeeded();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(most, 1);
  EXPECT_FALSE(breaker.open());
}

TEST(CircuitBreaker, GivesUpOnAServiceThatStaysAway) {
  Told told;
  BreakerOptions options = told.options();
  options.give_up_s = 0.01;
  CircuitBreaker breaker("host", options);
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(breaker.enter(nullptr), Admission::go);
    breaker.failed("down");
  }
  Admission last = Admission::go;
  for (int i = 0; i < 100 && last == Admission::go; ++i) {
    last = breaker.enter(nullptr);
    if (last == Admission::go) breaker.failed("down");
  }
  EXPECT_EQ(last, Admission::gave_up);
  EXPECT_EQ(breaker.reason(), "down");
}

TEST(CircuitBreaker, WaitingEndsWhenTold) {
  Told told;
  CircuitBreaker breaker("host", told.options());
  ASSERT_EQ(breaker.enter(nullptr), Admission::go);
  breaker.rate_limited(1000, "HTTP 429");
  EXPECT_THAT(told.lines.back(), HasSubstr("paused for 1"));
  int asked = 0;
  EXPECT_EQ(breaker.enter([&] { return ++asked > 2; }), Admission::cancelled);
}

TEST(CircuitBreaker, AnAbandonedProbeLetsTheNextOneTry) {
  Told told;
  CircuitBreaker breaker("host", told.options());
  ASSERT_EQ(breaker.enter(nullptr), Admission::go);
  breaker.rate_limited(0.01, "HTTP 429");
  EXPECT_TRUE(told.lines.empty());  // ordinary traffic
  ASSERT_EQ(breaker.enter(nullptr), Admission::go);
  breaker.abandoned();
  ASSERT_EQ(breaker.enter(nullptr), Admission::go);
  breaker.succeeded();
}

}  // namespace
}  // namespace evoke::llm
