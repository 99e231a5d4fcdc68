#include "evoke/base/expression.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace evoke {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const Symbols kSymbols{{"B", 2}, {"D", 128}, {"Lk", 4097}, {"Lq", 1}};

int64_t value_of(const std::string& text) {
  const auto expression = Expression::parse(text);
  EXPECT_TRUE(expression) << text << ": " << expression.error().message;
  if (!expression) return -999;
  const auto value = expression->evaluate(kSymbols);
  EXPECT_TRUE(value) << text << ": " << value.error().message;
  return value.value_or(-999);
}

std::string parse_error(const std::string& text) {
  const auto expression = Expression::parse(text);
  EXPECT_FALSE(expression) << text;
  return expression ? "" : expression.error().message;
}

std::string evaluation_error(const std::string& text) {
  const auto expression = Expression::parse(text);
  EXPECT_TRUE(expression) << text << ": " << expression.error().message;
  if (!expression) return "";
  const auto value = expression->evaluate(kSymbols);
  EXPECT_FALSE(value) << text;
  return value ? "" : value.error().message;
}

TEST(Expression, FollowsThePrecedenceOfC) {
  EXPECT_EQ(value_of("1 + 2 * 3"), 7);
  EXPECT_EQ(value_of("(1 + 2) * 3"), 9);
  EXPECT_EQ(value_of("10 - 4 - 3"), 3);
  EXPECT_EQ(value_of("100 / 5 / 2"), 10);
  EXPECT_EQ(value_of("7 % 4 * 2"), 6);
  EXPECT_EQ(value_of("1 + 1 < 3 == 1"), 1);
  EXPECT_EQ(value_of("1 || 0 && 0"), 1);
  EXPECT_EQ(value_of("!0 + 1"), 2);
  EXPECT_EQ(value_of("-2 * -3"), 6);
  EXPECT_EQ(value_of("- - 2"), 2);
  EXPECT_EQ(value_of("!!7"), 1);
  EXPECT_EQ(value_of("0 ? 1 : 0 ? 2 : 3"), 3);
  EXPECT_EQ(value_of("1 ? 0 ? 4 : 5 : 6"), 5);
  EXPECT_EQ(value_of("Lq == 1 && Lk >= 1024"), 1);
  EXPECT_EQ(value_of("Lq != 1 || Lk <= 1024"), 0);
}

TEST(Expression, DividesTowardsZero) {
  EXPECT_EQ(value_of("-7 / 2"), -3);
  EXPECT_EQ(value_of("-7 % 2"), -1);
  EXPECT_EQ(value_of("7 % -2"), 1);
}

TEST(Expression, KnowsFourFunctions) {
  EXPECT_EQ(value_of("min(3)"), 3);
  EXPECT_EQ(value_of("min(3, 1, 2)"), 1);
  EXPECT_EQ(value_of("max(3, 1, 9, 2)"), 9);
  EXPECT_EQ(value_of("ceil_div(Lk, 64)"), 65);
  EXPECT_EQ(value_of("ceil_div(4096, 64)"), 64);
  EXPECT_EQ(value_of("ceil_div(0, 64)"), 0);
  EXPECT_EQ(value_of("ceil_div(-7, 2)"), -3);
  EXPECT_EQ(value_of("align_up(Lk, 64)"), 4160);
  EXPECT_EQ(value_of("align_up(64, 64)"), 64);
  EXPECT_EQ(value_of("align_up(-7, 4)"), -4);
  EXPECT_EQ(value_of("max ( min ( 4 , 2 ) , 3 )"), 3);
}

TEST(Expression, ReachesBothEndsOf64Bits) {
  EXPECT_EQ(value_of("9223372036854775807"),
            std::numeric_limits<int64_t>::max());
  EXPECT_EQ(value_of("-9223372036854775808"),
            std::numeric_limits<int64_t>::min());
  EXPECT_EQ(value_of("-9223372036854775808 % -1"), 0);
}

TEST(Expression, ReportsOverflowAndDivisionByZero) {
  EXPECT_THAT(evaluation_error("9223372036854775807 + 1"),
              HasSubstr("'+' overflows"));
  EXPECT_THAT(evaluation_error("-9223372036854775808 - 1"),
              HasSubstr("'-' overflows"));
  EXPECT_THAT(evaluation_error("-(-9223372036854775808)"),
              HasSubstr("'-' overflows"));
  EXPECT_THAT(evaluation_error("4294967296 * 4294967296"),
              HasSubstr("'*' overflows"));
  EXPECT_THAT(evaluation_error("-9223372036854775808 / -1"),
              HasSubstr("'/' overflows"));
  EXPECT_THAT(evaluation_error("align_up(9223372036854775807, 2)"),
              HasSubstr("'align_up' overflows"));
  EXPECT_THAT(evaluation_error("D / (Lq - 1)"), HasSubstr("division by zero"));
  EXPECT_THAT(evaluation_error("D % 0"), HasSubstr("'%' by zero"));
  EXPECT_THAT(evaluation_error("ceil_div(D, 0)"),
              HasSubstr("positive second argument, not 0"));
  EXPECT_THAT(evaluation_error("align_up(D, -4)"),
              HasSubstr("positive second argument, not -4"));
}

TEST(Expression, EvaluatesOnlyWhatIsNeeded) {
  EXPECT_EQ(value_of("1 || 1 / 0"), 1);
  EXPECT_EQ(value_of("0 && nobody"), 0);
  EXPECT_EQ(value_of("Lq == 1 ? D : 1 / 0"), 128);
  EXPECT_EQ(value_of("Lq != 1 ? 1 / 0 : D"), 128);
  EXPECT_THAT(evaluation_error("0 || 1 / 0"), HasSubstr("division by zero"));
}

TEST(Expression, ReportsUnknownNames) {
  EXPECT_THAT(evaluation_error("D * heads"), HasSubstr("'heads'"));
}

TEST(Expression, ListsTheNamesItUses) {
  const auto expression = Expression::parse("min(Lk, B) + Lk * tile ? 1 : x_2");
  ASSERT_TRUE(expression);
  EXPECT_THAT(expression->names(), ElementsAre("B", "Lk", "tile", "x_2"));
}

struct BadText {
  std::string text;
  std::string error;
};

const BadText kBadTexts[] = {
    BadText{"", "column 1: expected a value, found end"},
    BadText{"1 +", "column 4: expected a value, found end"},
    BadText{"(1", "column 3: expected ')', found end"},
    BadText{"1)", "column 2: unexpected ')' after the expression"},
    BadText{"1 2", "column 3: unexpected '2' after the expression"},
    BadText{"Lk = 99", "column 4: unexpected '=' after the expression"},
    BadText{"a < b < c",
            "column 7: comparisons do not chain; join two with &&"},
    BadText{"a == b != c",
            "column 8: comparisons do not chain; join two with &&"},
    BadText{"1 ? 2", "column 6: expected ':' of '?:', found end"},
    BadText{"0x10", "column 1: numbers are decimal integers without a suffix"},
    BadText{"4k", "column 1: numbers are decimal integers without a suffix"},
    BadText{"1.5", "column 1: numbers are integers; '.' is not known here"},
    BadText{"010", "column 1: numbers are decimal; drop the leading zero"},
    BadText{"1 + 9223372036854775808",
            "column 5: the number does not fit in 64 bits"},
    BadText{"pow(2, 3)",
            "column 1: unknown function 'pow'; there are min, max, "
            "ceil_div, align_up"},
    BadText{"1 + min", "column 5: 'min' is a function; call it with (...)"},
    BadText{"min()", "column 1: min takes at least one argument, not 0"},
    BadText{"ceil_div(1)", "column 1: ceil_div takes two arguments, not 1"},
    BadText{"align_up(1, 2, 3)",
            "column 1: align_up takes two arguments, not 3"},
    BadText{"min(1", "column 6: expected ',' or ')', found end"},
    BadText{"a & b", "column 3: unexpected '&' after the expression"},
    BadText{"a; b", "column 2: unexpected ';' after the expression"},
    BadText{"\xc3\xa4", "column 1: expected a value, found byte 195"}};

TEST(ExpressionErrors, NameTheColumn) {
  for (const BadText& bad : kBadTexts) {
    SCOPED_TRACE(bad.error);
    EXPECT_EQ(parse_error(bad.text), bad.error);
  }
}

TEST(Expression, RefusesTreesThatCouldOverflowTheStack) {
  const std::string deep = ": nested deeper than 64 levels";
  const std::string many(100'000, '(');
  EXPECT_THAT(parse_error(many), HasSubstr(deep));
  EXPECT_THAT(parse_error(std::string(100'000, '-') + "1"), HasSubstr(deep));
  EXPECT_THAT(parse_error(std::string(100'000, '!') + "1"), HasSubstr(deep));
  std::string chain = "1";
  for (int i = 0; i < 100'000; ++i) chain += "+1";
  EXPECT_THAT(parse_error(chain), HasSubstr(deep));
  std::string calls;
  for (int i = 0; i < 100'000; ++i) calls += "min(";
  EXPECT_THAT(parse_error(calls), HasSubstr(deep));
  std::string choices;
  for (int i = 0; i < 100'000; ++i) choices += "1?1:";
  EXPECT_THAT(parse_error(choices), HasSubstr(deep));
}

TEST(Expression, RefusesEndlessNames) {
  EXPECT_EQ(parse_error("1 + " + std::string(65, 'n')),
            "column 5: a name has at most 64 letters");
  EXPECT_TRUE(Expression::parse(std::string(64, 'n')));
}

TEST(Expression, AcceptsChainsUpToTheLimit) {
  std::string chain = "1";
  for (int i = 1; i < Expression::kMaxDepth; ++i) chain += " + 1";
  EXPECT_EQ(value_of(chain), Expression::kMaxDepth);
  EXPECT_THAT(parse_error(chain + " + 1"), HasSubstr("nested deeper"));
  const std::string open(Expression::kMaxDepth - 1, '(');
  const std::string close(Expression::kMaxDepth - 1, ')');
  EXPECT_EQ(value_of(open + "5" + close), 5);
}

TEST(Expression, FindsEqualityTests) {
  const auto tests_lk = [](const std::string& text) {
    const auto expression = Expression::parse(text);
    EXPECT_TRUE(expression) << text;
    return expression && expression->tests_equality_of("Lk");
  };
  EXPECT_TRUE(tests_lk("Lk == 4096"));
  EXPECT_TRUE(tests_lk("4096 != Lk"));
  EXPECT_TRUE(tests_lk("Lq == 1 && Lk + 1 == 4097"));
  EXPECT_TRUE(tests_lk("Lk % 64 == 0"));
  EXPECT_TRUE(tests_lk("(Lk == 8) < 1"));
  EXPECT_TRUE(tests_lk("Lq == 1 ? Lk == 2 : 1"));
  // Asking for zero is the same test in other words.
  EXPECT_TRUE(tests_lk("Lk - 4096"));
  EXPECT_TRUE(tests_lk("!(Lk - 4096)"));
  EXPECT_TRUE(tests_lk("Lk - 4096 ? 0 : 1"));
  EXPECT_TRUE(tests_lk("Lq && Lk / 4096"));

  EXPECT_FALSE(tests_lk("Lk >= 1024"));
  EXPECT_FALSE(tests_lk("Lq == 1 && Lk >= 1024"));
  EXPECT_FALSE(tests_lk("Lq == 1 ? Lk > 5 : Lk < 9"));
  EXPECT_FALSE(tests_lk("min(Lk, 4096) > 100"));
  EXPECT_FALSE(tests_lk("1"));
  EXPECT_FALSE(Expression().tests_equality_of("Lk"));
}

TEST(Expression, KeepsItsTextOnOneLine) {
  EXPECT_EQ(Expression::parse("\ta\n+\r\nb ")->text(), "a +  b");
  EXPECT_EQ(Expression::parse("  Lk +  1 \n")->text(), "Lk +  1");
  EXPECT_EQ(Expression::constant(-3).text(), "-3");
  EXPECT_EQ(Expression().text(), "0");
  EXPECT_EQ(*Expression().evaluate({}), 0);
  EXPECT_EQ(*Expression::parse("7"), Expression::constant(7));
}

TEST(Expression, PrintsEveryConstantSoThatItReadsBack) {
  for (const int64_t value :
       {std::numeric_limits<int64_t>::min(), int64_t{-1}, int64_t{0},
        std::numeric_limits<int64_t>::max()}) {
    const Expression constant = Expression::constant(value);
    EXPECT_EQ(*constant.evaluate({}), value);
    const auto parsed = Expression::parse(constant.text());
    ASSERT_TRUE(parsed) << constant.text();
    EXPECT_EQ(*parsed->evaluate({}), value);
  }
}

}  // namespace
}  // namespace evoke
