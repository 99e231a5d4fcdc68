#include "evoke/model/tokenizer/split_pattern.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "evoke/model/tokenizer/split_syntax.h"
#include "tests/model/tokenizer/tiny_tokenizer.h"

namespace evoke::model {
namespace {

using testing::ElementsAre;

std::vector<std::string> split(std::string_view pattern,
                               std::string_view text) {
  const auto compiled = SplitPattern::compile(pattern);
  if (!compiled) return {"error: " + compiled.error().message};
  SplitPattern::Workspace workspace;
  std::vector<std::size_t> ends;
  const auto done = compiled->split(text, workspace, ends);
  if (!done) return {"error: " + done.error().message};
  std::vector<std::string> words;
  std::size_t begin = 0;
  for (const std::size_t end : ends) {
    words.emplace_back(text.substr(begin, end - begin));
    begin = end;
  }
  return words;
}

std::vector<std::string> qwen(std::string_view text) {
  return split(test::kQwenPattern, text);
}

TEST(SplitPattern, CutsAsQwenDoes) {
  EXPECT_THAT(qwen(""), ElementsAre());
  EXPECT_THAT(qwen("It's 12 o'clock."),
              ElementsAre("It", "'s", " ", "1", "2", " o", "'clock", "."));
  EXPECT_THAT(qwen("WE'LL"), ElementsAre("WE", "'LL"));
  EXPECT_THAT(qwen("a  b\n\n c"), ElementsAre("a", " ", " b", "\n\n", " c"));
  EXPECT_THAT(qwen("x \r\n  "), ElementsAre("x", " \r\n", "  "));
  EXPECT_THAT(qwen("f(x) {\n}"), ElementsAre("f", "(x", ")", " {\n", "}"));
  EXPECT_THAT(qwen("\u4e2d\u6587\uff01"),
              ElementsAre("\u4e2d\u6587", "\uff01"));
}

// The edges between letters, white space and the rest, where engines differ.
TEST(SplitPattern, EdgeCharactersAreWhatHuggingFaceTakesThemFor) {
  for (const char* space :
       {"\u0085", "\u00a0", "\u1680", "\u2000", "\u2028", "\u202f", "\u3000"}) {
    EXPECT_THAT(split(R"(\s)", std::string("!") + space + "!"),
                ElementsAre("!", space, "!"));
  }
  for (const char* other : {"\u180e", "\u200b", "\u200d", "\u2060", "\ufeff"}) {
    EXPECT_EQ(split(R"(\s|\p{L}|\p{N})", std::string("!") + other + "!").size(),
              1U);
  }
  EXPECT_THAT(split("(?i:'s)", "'\u017f'S's"),
              ElementsAre("'\u017f", "'S", "'s"));
}

TEST(SplitPattern, LongRunsTakeLinearTime) {
  const std::size_t size = 4 << 20;
  EXPECT_EQ(qwen(std::string(size, ' ')).size(), 1U);
  EXPECT_EQ(qwen(std::string(size, ' ') + "a").size(), 2U);
  EXPECT_EQ(qwen(std::string(size, 'a')).size(), 1U);
  EXPECT_EQ(qwen(std::string(size, '\n')).size(), 1U);
  EXPECT_EQ(qwen(std::string(size, '!') + "\r\n").size(), 1U);
}

TEST(SplitSyntax, TakesWhatMeansTheSameEverywhere) {
  for (const std::string_view pattern :
       {test::kQwenPattern, std::string_view(R"(\p{N}{1,3}|[a-z]+|\.\-)"),
        std::string_view(R"('(?:[sdmt]|ll)|(?=a)|x{2}|\S+)"),
        std::string_view("\u00e9+")}) {
    EXPECT_EQ(find_unsupported_syntax(pattern), "") << pattern;
  }
}

TEST(SplitSyntax, NamesWhatDoesNot) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"(\w+)", R"(\w)"},
      {R"(\P{L})", R"(\P)"},
      {R"(\p{Lu})", R"(\p)"},
      {R"(\p{^L})", R"(\p)"},
      {"a.b", "."},
      {"^a", "^"},
      {"a$", "$"},
      {"(a)+", "a repeated group"},
      {"(?:a|b)*", "a repeated group"},
      {"(?<!a)", "(?<!"},
      {"(?<n>a)", "(?<n"},
      {"(?>a)", "(?>a"},
      {"(?#c)", "(?#c"},
      {"(*ACCEPT)", "(*AC"},
      {"a++", "++"},
      {"a+?", "+?"},
      {"a?+", "?+"},
      {"a{1,2}{3}", "}{3}"},
      {"[[:alpha:]]", "[ in a class"},
      {"[a&&b]", "&&"},
      {"[a", "[ without ]"},
      {"[]a]", "[]"},
      {"a{", "{"},
      {"a{1000}", "{"},
      {"*a", "*"},
      {"(?i:ss)", "(?i: with ss"},
      {"(?i:\u00e9)", "(?i: beyond ASCII letters"},
      {"(?i:(?:a)ss)", "(?i: beyond ASCII letters"},
      {"(?i:s{2})", "(?i: beyond ASCII letters"},
      {"a\\", "\\"},
      {R"([\w])", R"(\w)"},
      {R"(\1)", R"(\1)"},
      {R"(\K)", R"(\K)"}};
  for (const auto& [pattern, found] : cases) {
    EXPECT_EQ(find_unsupported_syntax(pattern), found) << pattern;
  }
}

}  // namespace
}  // namespace evoke::model
