#include "evoke/core/toml_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "evoke/base/rng.h"

namespace evoke {
namespace {

using testing::HasSubstr;

TEST(TomlReader, StringsReadBack) {
  Rng rng(9);
  for (int i = 0; i < 5000; ++i) {
    std::string text;
    for (uint64_t n = rng.below(8); n > 0; --n) {
      const std::string letters = "*/\\\"'\n\t\r\x01\x7f ab#=\x1f";
      text.push_back(letters[rng.below(letters.size())]);
    }
    const std::string quoted = toml_quoted(text);
    ASSERT_EQ(quoted.find("*/"), std::string::npos);
    TomlErrors errors("t");
    const auto document = parse_toml("a = " + quoted, errors);
    ASSERT_TRUE(document) << quoted << errors.take().value().message;
    ASSERT_EQ(document->get("a")->as_string()->get(), text);
  }
}

TEST(TomlReader, NumbersReadBack) {
  for (const double value : {0.0, -0.0, 1.0, 150.0, 0.1, 1e300, 5e-324, -2.5e-9,
                             std::numeric_limits<double>::infinity()}) {
    TomlErrors errors("t");
    const auto document = parse_toml("a = " + toml_number(value), errors);
    ASSERT_TRUE(document) << toml_number(value);
    ASSERT_TRUE(document->get("a")->is_floating_point());
    EXPECT_EQ(document->get("a")->as_floating_point()->get(), value);
  }
}

TEST(TomlReader, NestingCannotOverflowTheStack) {
  const auto error_of_text = [](const std::string& text) {
    TomlErrors errors("t");
    const auto document = parse_toml(text, errors);
    EXPECT_FALSE(document);
    return errors.any() ? errors.take().value().message : "";
  };
  std::string dotted = "a";
  for (int i = 0; i < 20'000; ++i) dotted += ".a";
  EXPECT_THAT(error_of_text(dotted + " = 1"), HasSubstr("nest less"));
  EXPECT_THAT(error_of_text("[" + dotted + "]"), HasSubstr("nest less"));
  // Strings do not hide dots that follow them, and their own do not count.
  EXPECT_THAT(
      error_of_text("s = \"\\\"\"\nt = ''' ' '''\nu = '\\'\n[" + dotted + "]"),
      HasSubstr("nest less"));
  TomlErrors errors("t");
  EXPECT_TRUE(parse_toml("a = \"" + std::string(20'000, '.') + "\" # " +
                             std::string(20'000, '.') + "\nb = '''" +
                             std::string(20'000, '.') + "\n'''",
                         errors));
  EXPECT_THAT(error_of_text("a = " + std::string(30'000, '[')),
              HasSubstr("t:1: TOML:"));
  std::string tables = "a = ";
  for (int i = 0; i < 10'000; ++i) tables += "{a=";
  EXPECT_THAT(error_of_text(tables), HasSubstr("t:1: TOML:"));
}

TEST(TomlReader, KeepsTheFirstError) {
  TomlErrors errors("t", 5);
  EXPECT_FALSE(errors.any());
  errors.add(7, "a.b", "first");
  errors.add(8, "", "second");
  EXPECT_EQ(errors.take().value().message, "t:7: a.b: first");
}

}  // namespace
}  // namespace evoke
