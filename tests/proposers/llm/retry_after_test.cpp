#include "evoke/proposers/llm/retry_after.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace evoke::llm {
namespace {

// RFC 9110 5.6.7 gives the same moment in all three forms.
constexpr int64_t kExample = 784'111'777;

TEST(HttpDate, ReadsAllThreeForms) {
  EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), kExample);
  EXPECT_EQ(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT"), kExample);
  EXPECT_EQ(parse_http_date("Sun Nov  6 08:49:37 1994"), kExample);
  EXPECT_EQ(parse_http_date("Thu, 29 Feb 2024 00:00:00 GMT"), 1'709'164'800);
}

TEST(HttpDate, RefusesWhatIsNone) {
  for (const char* text :
       {"", "soon", "Sun, 06 Nov 1994 08:49:37",
        "Sun, 30 Feb 2023 00:00:00 GMT", "Sun, 06 Foo 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 25:49:37 GMT",
        "Sun, -6 Nov 1994 08:49:37 GMT extra words"}) {
    EXPECT_EQ(parse_http_date(text), std::nullopt) << text;
  }
}

TEST(RetryAfter, TakesSecondsAndDates) {
  EXPECT_EQ(retry_after_s("17", "", 0), 17.0);
  EXPECT_EQ(retry_after_s("0.5", "", 0), 0.5);
  EXPECT_EQ(retry_after_s("-3", "", 0), 0.0);
  EXPECT_EQ(retry_after_s("", "", 0), std::nullopt);
  EXPECT_EQ(retry_after_s("tomorrow", "", 0), std::nullopt);
  EXPECT_EQ(retry_after_s("inf", "", 0), std::nullopt);
  EXPECT_EQ(retry_after_s("Sun, 06 Nov 1994 08:49:37 GMT", "", kExample - 30),
            30.0);
  EXPECT_EQ(retry_after_s("Sun, 06 Nov 1994 08:49:37 GMT", "", kExample + 30),
            0.0);
}

TEST(RetryAfter, ComparesWithTheServicesOwnClock) {
  // Ours is an hour ahead.
  EXPECT_EQ(retry_after_s("Sun, 06 Nov 1994 08:49:37 GMT",
                          "Sun, 06 Nov 1994 08:49:30 GMT", kExample + 3600),
            7.0);
}

TEST(Backoff, DoublesUpToALimitAndVaries) {
  Rng rng(1);
  for (int n = 0; n < 40; ++n) {
    const double whole = n < 5 ? (1 << n) : 30;
    const double wait = backoff_s(n, 1, 30, rng);
    EXPECT_GE(wait, std::min(whole, 30.0) / 2);
    EXPECT_LE(wait, 30);
    EXPECT_LE(wait, whole);
  }
  std::set<double> waits;
  for (int i = 0; i < 20; ++i) waits.insert(backoff_s(3, 1, 30, rng));
  EXPECT_EQ(waits.size(), 20U);
}

}  // namespace
}  // namespace evoke::llm
