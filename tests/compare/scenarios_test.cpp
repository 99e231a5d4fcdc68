#include "evoke/compare/scenarios.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace evoke::compare {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::pair<std::string, int>> lengths(
    const std::vector<Scenario>& scenarios) {
  std::vector<std::pair<std::string, int>> result;
  for (const Scenario& each : scenarios) {
    result.emplace_back(each.name, each.max_tokens);
  }
  std::sort(result.begin(), result.end());
  return result;
}

TEST(Scenarios, AreTheTwentyOfTheBenchmark) {
  std::vector<std::pair<std::string, int>> expected = {
      {"short_context_quick", 50},
      {"medium_context_analysis", 200},
      {"long_context_detailed", 500},
      {"very_long_context_comprehensive", 1000},
      {"micro_generation", 10},
      {"short_generation", 100},
      {"long_generation", 1000},
      {"very_long_generation", 2000},
      {"ultra_long_generation", 5000},
      {"code_generation", 300},
      {"step_by_step_reasoning", 400},
      {"creative_writing", 800},
      {"technical_documentation", 1200},
      {"conversational_assistant", 1500},
      {"progressive_context_building", 600},
      {"repetitive_pattern_generation", 2000},
      {"extreme_long_generation", 8000},
      {"sustained_dialogue_generation", 6000},
      {"comprehensive_analysis_generation", 7000},
      {"maximum_context_stress_test", 10000}};
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(lengths(all_scenarios()), expected);
  std::set<std::string> prompts;
  for (const Scenario& each : all_scenarios()) prompts.insert(each.prompt);
  EXPECT_EQ(prompts.size(), 20U);
}

TEST(Scenarios, QuickModeTakesFiveAndCapsTheLongest) {
  const auto chosen = choose_scenarios({.quick = true});
  ASSERT_TRUE(chosen);
  EXPECT_THAT(lengths(*chosen),
              ElementsAre(std::pair("code_generation", 300),
                          std::pair("long_context_detailed", 500),
                          std::pair("long_generation", 1000),
                          std::pair("maximum_context_stress_test", 1000),
                          std::pair("short_context_quick", 50)));
}

TEST(Scenarios, CanBeNamedAndCapped) {
  const auto chosen = choose_scenarios(
      {.quick = true,
       .names = {"creative_writing", "micro_generation", "creative_writing"},
       .max_tokens_cap = 40});
  ASSERT_TRUE(chosen);
  ASSERT_EQ(chosen->size(), 2U);
  EXPECT_EQ((*chosen)[0].name, "creative_writing");
  EXPECT_EQ((*chosen)[0].max_tokens, 40);
  EXPECT_EQ((*chosen)[1].max_tokens, 10);
  // Named, and not capped by the quick mode.
  const auto longest =
      choose_scenarios({.quick = true, .names = {"extreme_long_generation"}});
  ASSERT_TRUE(longest);
  EXPECT_EQ(longest->front().max_tokens, 8000);
}

TEST(Scenarios, RefuseUnknownNames) {
  const auto chosen = choose_scenarios({.names = {"creative_riting"}});
  ASSERT_FALSE(chosen);
  EXPECT_THAT(chosen.error().message,
              HasSubstr("did you mean 'creative_writing'?"));
}

}  // namespace
}  // namespace evoke::compare
