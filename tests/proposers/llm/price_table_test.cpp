#include "evoke/proposers/llm/price_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace evoke::llm {
namespace {

using testing::HasSubstr;

PriceTable table() {
  return PriceTable::parse(R"(
["m"]
input = 2.0
output = 8.0
cached_input = 0.5
["m-mini"]
input = 1.0
output = 4.0
)",
                           "p.toml", PriceTable())
      .value();
}

TEST(PriceTable, FindsDatedVersionsAndProviders) {
  EXPECT_EQ(table().find("m")->input, 2.0);
  EXPECT_EQ(table().find("m-2026-01-31")->input, 2.0);
  EXPECT_EQ(table().find("m-latest")->input, 2.0);
  EXPECT_EQ(table().find("m-mini")->input, 1.0);
  EXPECT_EQ(table().find("m-mini-2026")->input, 1.0);
  EXPECT_EQ(table().find("provider/m-mini")->input, 1.0);
  EXPECT_EQ(table().find("m-large"), std::nullopt);
  EXPECT_EQ(table().find("mm"), std::nullopt);
  EXPECT_EQ(table().find(""), std::nullopt);
}

TEST(PriceTable, UsersOverrideEntries) {
  const auto mine = PriceTable::parse("[\"m\"]\ninput = 9\noutput = 10\n",
                                      "mine.toml", table());
  ASSERT_TRUE(mine) << mine.error().message;
  EXPECT_EQ(mine->find("m")->input, 9.0);
  EXPECT_EQ(mine->find("m")->cached_input, 9.0);
  EXPECT_EQ(mine->find("m-mini")->input, 1.0);
}

TEST(PriceTable, ErrorsNameFileLineAndKey) {
  const auto error = [](std::string_view text) {
    const auto parsed = PriceTable::parse(text, "p.toml", PriceTable());
    return parsed ? std::string("none") : parsed.error().message;
  };
  EXPECT_THAT(error("[\"m\"]\ninput = 1\n"), HasSubstr("p.toml:1:"));
  EXPECT_THAT(error("[\"m\"]\ninput = 1\noutput = -1\n"),
              HasSubstr("p.toml:3:"));
  EXPECT_THAT(error("[\"m\"]\ninput = 1\noutput = 1\ncached = 1\n"),
              HasSubstr("cached"));
  EXPECT_THAT(error("m = 3\n"), HasSubstr("p.toml:1:"));
}

TEST(PriceTable, BuiltInOneHasPricesThatArePrices) {
  const PriceTable& built_in = PriceTable::built_in();
  for (const char* model : {"gpt-5-mini", "gemini-2.5-flash"}) {
    const auto price = built_in.find(model);
    ASSERT_TRUE(price) << model;
    EXPECT_GT(price->input, price->cached_input);
    EXPECT_GT(price->output, price->input);
  }
}

TEST(CostUsd, CountsCachedTokensApart) {
  const Price price{.input = 2, .output = 8, .cached_input = 0.5};
  EXPECT_DOUBLE_EQ(cost_usd(price, {1'000'000, 0, 0, 0}), 2.0);
  EXPECT_DOUBLE_EQ(cost_usd(price, {1'000'000, 500'000, 250'000, 200'000}),
                   1.0 + 0.25 + 2.0);
}

}  // namespace
}  // namespace evoke::llm
