#include "evoke/core/source_tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace evoke {
namespace {

using testing::ElementsAre;
using Kind = SourceToken::Kind;

std::vector<std::string> texts(const std::string& code) {
  std::vector<std::string> found;
  for (const SourceToken& token : tokens_of(code, 1)) {
    found.push_back(token.text);
  }
  return found;
}

std::vector<Kind> kinds(const std::string& code) {
  std::vector<Kind> found;
  for (const SourceToken& token : tokens_of(code, 1)) {
    found.push_back(token.kind);
  }
  return found;
}

TEST(SourceTokens, SkipsComments) {
  EXPECT_THAT(texts("a // b\nc /* d\n * e */ f"), ElementsAre("a", "c", "f"));
  EXPECT_THAT(texts("a /* // */ b // /*\nc"), ElementsAre("a", "b", "c"));
  EXPECT_THAT(texts("a // still \\\n the comment\nb"), ElementsAre("a", "b"));
}

TEST(SourceTokens, JoinsSplicedLines) {
  EXPECT_THAT(texts("as\\\nm x"), ElementsAre("asm", "x"));
  EXPECT_THAT(texts("as\\  \nm"), ElementsAre("asm"));
  EXPECT_THAT(texts("/\\\n/ comment\na"), ElementsAre("a"));
  EXPECT_THAT(texts("#def\\\nine"), ElementsAre("#", "define"));
}

TEST(SourceTokens, CountsLines) {
  const auto tokens = tokens_of("a\n/*\n*/ b\\\n\\\nc\nd", 10);
  ASSERT_EQ(tokens.size(), 3U);
  EXPECT_EQ(tokens[0].line, 10);
  EXPECT_EQ(tokens[1].text, "bc");
  EXPECT_EQ(tokens[1].line, 12);
  EXPECT_EQ(tokens[2].line, 15);
}

TEST(SourceTokens, ReadsLiterals) {
  EXPECT_THAT(
      texts(R"(f("a\"b // c", 'x', '\'', L"w", u8"x", u'y'))"),
      ElementsAre("f", "(", R"("a\"b // c")", ",", "'x'", ",", R"('\'')", ",",
                  "L\"w\"", ",", "u8\"x\"", ",", "u'y'", ")"));
  EXPECT_THAT(kinds("\"a\" 'b'"), ElementsAre(Kind::string, Kind::character));
}

TEST(SourceTokens, ReadsNumbersWhole) {
  EXPECT_THAT(
      texts("1'000 0x1p-3f 1.5e+10 .5 1.f x1 3_u"),
      ElementsAre("1'000", "0x1p-3f", "1.5e+10", ".5", "1.f", "x1", "3_u"));
  EXPECT_THAT(texts("1+2"), ElementsAre("1", "+", "2"));
}

TEST(SourceTokens, ReadsHeaderNames) {
  EXPECT_THAT(texts("#include <a//b>\n# include \"c\"\n"),
              ElementsAre("#", "include", "<a//b>", "#", "include", "\"c\""));
  EXPECT_THAT(
      kinds("#include <a>\n"),
      ElementsAre(Kind::punctuation, Kind::identifier, Kind::header_name));
  EXPECT_THAT(texts("a < include <b>"),
              ElementsAre("a", "<", "include", "<", "b", ">"));
}

TEST(SourceTokens, KnowsDirectives) {
  const auto tokens = tokens_of("/* */ # if A\nb # c\nint x; /*\n*/ # d", 1);
  ASSERT_EQ(tokens.size(), 11U);
  EXPECT_TRUE(tokens[0].starts_line);
  EXPECT_TRUE(tokens[2].in_directive);
  EXPECT_TRUE(tokens[3].starts_line);
  EXPECT_FALSE(tokens[4].starts_line);
  EXPECT_FALSE(tokens[4].in_directive);
  // The comment joins the two lines into one.
  EXPECT_EQ(tokens[9].text, "#");
  EXPECT_FALSE(tokens[9].starts_line);
}

TEST(SourceTokens, MarksWhatCppOfOursNeverHolds) {
  for (const std::string code :
       {"R\"(raw)\"", "u8R\"(raw)\"", "R\\\n\"(raw)\"", "?\?=", "?\?/\n",
        "%: define", "<: 0 :>", "<% %>", "/* open", "\"open", "'open",
        "\\u0061sm", "caf\xc3\xa9"}) {
    const auto found = kinds(code);
    EXPECT_NE(std::count(found.begin(), found.end(), Kind::stray), 0) << code;
  }
  for (const std::string code :
       {"a<::b> c", "a ? b : c", "x % y", "a[b[1]]", "// \xc3\xa9 ?\?/ R\"(",
        "\"\xc3\xa9 ?\?=\"", "R = 1", "std::vector<int>", ""}) {
    const auto found = kinds(code);
    EXPECT_EQ(std::count(found.begin(), found.end(), Kind::stray), 0) << code;
  }
}

TEST(SourceTokens, KeepsDoubleSigns) {
  EXPECT_THAT(texts("a##b c::d # e"),
              ElementsAre("a", "##", "b", "c", "::", "d", "#", "e"));
}

}  // namespace
}  // namespace evoke
