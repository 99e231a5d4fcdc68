#include "evoke/cli/duration.h"

#include <gtest/gtest.h>

namespace evoke::cli {
namespace {

TEST(Duration, ReadsTheFormsPeopleWrite) {
  EXPECT_EQ(parse_duration_s("90").value(), 90);
  EXPECT_EQ(parse_duration_s("90s").value(), 90);
  EXPECT_EQ(parse_duration_s("2m").value(), 120);
  EXPECT_EQ(parse_duration_s("1h30m").value(), 5400);
  EXPECT_EQ(parse_duration_s("0.5m").value(), 30);
}

TEST(Duration, RefusesEverythingElseWithAWayOut) {
  for (const char* text :
       {"", "m", "-5s", "5x", "nan", "inf", "1e999", "5 m"}) {
    const auto result = parse_duration_s(text);
    ASSERT_FALSE(result.has_value()) << text;
    EXPECT_NE(result.error().message.find("write 90s"), std::string::npos);
  }
}

TEST(Duration, PrintsTwoUnitsAtMost) {
  EXPECT_EQ(format_duration(5), "5s");
  EXPECT_EQ(format_duration(125), "2m 05s");
  EXPECT_EQ(format_duration(7260), "2h 01m");
}

}  // namespace
}  // namespace evoke::cli
