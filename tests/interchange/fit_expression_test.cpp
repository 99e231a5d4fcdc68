#include "evoke/interchange/fit_expression.h"

#include <gtest/gtest.h>

namespace evoke {
namespace {

std::vector<Symbols> samples() {
  const auto sample = [](int64_t b, int64_t hq, int64_t hkv, int64_t lq,
                         int64_t lk, int64_t d) {
    return Symbols{{"B", b},   {"Hq", hq}, {"Hkv", hkv}, {"Lq", lq},
                   {"Lk", lk}, {"D", d},   {"causal", 1}};
  };
  return {sample(1, 16, 8, 37, 37, 128), sample(2, 16, 8, 53, 700, 128),
          sample(1, 12, 3, 1, 300, 64), sample(3, 16, 8, 9, 1500, 128)};
}

// The expression that is found for what `text` gives.
std::string refitted(const std::string& text, const FitOptions& options = {}) {
  std::vector<int64_t> values;
  for (const Symbols& each : samples()) {
    values.push_back(Expression::parse(text)->evaluate(each).value());
  }
  const auto fitted = fit_expression(samples(), values, options);
  return fitted ? fitted->text() : fitted.error().message;
}

TEST(FitExpression, FindsWhatProgramsUse) {
  for (const char* text :
       {"Lq", "Lk", "B", "Hq", "Hkv", "D", "7", "Hq / Hkv", "B * Hq",
        "B * Hkv * Lk", "B * Hq * Lq * D", "min(32, Lq)", "ceil_div(Lk, 64)",
        "align_up(Lq, 32)", "ceil_div(Lk, 64) * 256"}) {
    EXPECT_EQ(refitted(text), text);
  }
}

TEST(FitExpression, SaysWhenNothingFits) {
  EXPECT_NE(refitted("Lq * Lq * Lq * Lq + 3").find("no size expression gives"),
            std::string::npos);
  EXPECT_FALSE(fit_expression({}, {}));
}

TEST(FitExpression, KeepsToCompileTimeWhenAsked) {
  EXPECT_EQ(refitted("D", {true, true}), "D");
  EXPECT_NE(refitted("Lq", {true, true}).find("no size"), std::string::npos);
}

TEST(FitExpression, PrefersNumbersToLettersThatDidNotVary) {
  const std::vector<Symbols> one = {samples()[0]};
  EXPECT_EQ(fit_expression(one, {128}, {false, false})->text(), "128");
  EXPECT_EQ(fit_expression(one, {128}, {true, false})->text(), "D");
}

}  // namespace
}  // namespace evoke
