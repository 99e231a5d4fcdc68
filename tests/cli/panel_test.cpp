#include "evoke/cli/panel.h"

#include <gtest/gtest.h>

#include <string>

namespace evoke::cli {
namespace {

PanelState searching() {
  PanelState state;
  state.phase = "searching";
  state.reference = "composite";
  state.iteration = 42;
  state.iteration_limit = 100;
  state.elapsed_s = 61;
  state.time_limit_s = 120;
  state.evaluations_per_minute = 130;
  state.in_flight = 2;
  state.counts[static_cast<std::size_t>(OutcomeKind::measured)] = 30;
  state.counts[static_cast<std::size_t>(OutcomeKind::incorrect)] = 3;
  return state;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += line + "\n";
  return text;
}

TEST(Panel, SaysThatNothingIsConfirmedUntilSomethingIs) {
  const std::string text = joined(render_panel(Context{}, searching()));
  EXPECT_NE(text.find("none confirmed yet"), std::string::npos);
  EXPECT_NE(text.find("iteration 42 of 100"), std::string::npos);
  EXPECT_NE(text.find("1:01 of 2:00"), std::string::npos);
}

TEST(Panel, ShowsTheBestWithItsInterval) {
  PanelState state = searching();
  state.best = Fitness{1.25, 1.21, 1.29};
  const std::string text = joined(render_panel(Context{}, state));
  EXPECT_NE(text.find("1.250x [1.210, 1.290] of composite"), std::string::npos);
}

TEST(Panel, CountsOutcomesMostFrequentFirstAndHidesZeros) {
  const std::string text = joined(render_panel(Context{}, searching()));
  const auto measured = text.find("measured 30");
  const auto incorrect = text.find("incorrect 3");
  ASSERT_NE(measured, std::string::npos);
  ASSERT_NE(incorrect, std::string::npos);
  EXPECT_LT(measured, incorrect);
  EXPECT_EQ(text.find("crashed"), std::string::npos);
}

TEST(Panel, HasNoEscapesWithoutColour) {
  EXPECT_EQ(joined(render_panel(Context{}, searching())).find('\x1b'),
            std::string::npos);
}

}  // namespace
}  // namespace evoke::cli
