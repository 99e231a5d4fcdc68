#include "evoke/evolution/arms.h"

#include <gtest/gtest.h>

#include "evoke/base/error.h"

namespace evoke {
namespace {

TEST(Arms, AreEveryOperationWithEveryModel) {
  const auto arms =
      arms_of({{.name = "parameters", .operations = {"step", "jump"}},
               {.name = "llm",
                .operations = {"improve"},
                .models = {{"big", 1}, {"small", 3}}},
               {.name = "inbox", .in_flight = 4}});
  EXPECT_EQ(names_of(arms),
            (std::vector<std::string>{"parameters/step", "parameters/jump",
                                      "llm:big/improve", "llm:small/improve",
                                      "inbox/"}));
  // Each proposer weighs the same.
  EXPECT_EQ(weights_of(arms), (std::vector<double>{0.5, 0.5, 0.25, 0.75, 1}));
  EXPECT_EQ(arms[3].proposer, 1U);
  EXPECT_EQ(arms[3].source, "llm:small");
  EXPECT_EQ(proposer_of(arms[3].source), "llm");
}

TEST(Arms, RefuseWhatCannotBeChosenAmong) {
  EXPECT_THROW(arms_of({}), UsageError);
  EXPECT_THROW(arms_of({{.name = "a"}, {.name = "a"}}), UsageError);
  EXPECT_THROW(arms_of({{.name = "llm", .models = {{"m", 0}}}}), UsageError);
}

}  // namespace
}  // namespace evoke
