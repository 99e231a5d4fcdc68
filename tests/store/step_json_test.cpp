#include "evoke/store/step_json.h"

#include <gtest/gtest.h>

#include "tests/store/support.h"

namespace evoke {
namespace {

using test::everything;
using test::make_step;

TEST(StepJson, SurvivesTheRoundTrip) {
  for (const int64_t sequence : {1, 2, 3}) {
    Step step = make_step(sequence);
    step.purpose = EvaluationPurpose::remeasure;
    const auto back = step_from_json(Json::parse(dump_json(to_json(step))));
    ASSERT_TRUE(back.has_value()) << back.error().message;
    EXPECT_EQ(everything(*back), everything(step));
  }
}

TEST(StepJson, PurposesAreKnownByName) {
  for (const auto purpose :
       {EvaluationPurpose::score, EvaluationPurpose::remeasure,
        EvaluationPurpose::confirm}) {
    EXPECT_EQ(parse_purpose(to_string(purpose)).value(), purpose);
  }
  EXPECT_FALSE(parse_purpose("guess").has_value());
}

TEST(StepJson, RefusesWhatIsMissingOrWrong) {
  const Json whole = to_json(make_step(1));
  for (const auto& [key, value] : whole.items()) {
    Json json = whole;
    json.erase(key);
    EXPECT_FALSE(step_from_json(json).has_value()) << key;
    json[key] = Json::array({1});
    EXPECT_FALSE(step_from_json(json).has_value()) << key;
  }
  for (const auto& [key, value] : whole["candidate"].items()) {
    Json json = whole;
    json["candidate"].erase(key);
    const auto step = step_from_json(json);
    ASSERT_FALSE(step.has_value());
    EXPECT_NE(step.error().message.find(key), std::string::npos)
        << step.error().message;
  }
  EXPECT_FALSE(step_from_json(Json(3)).has_value());
}

}  // namespace
}  // namespace evoke
