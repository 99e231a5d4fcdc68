#include "evoke/proposers/llm/answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace evoke::llm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Answer parsed(std::string_view text) {
  const auto answer = read_answer(text);
  EXPECT_TRUE(answer) << (answer ? "" : answer.error().message) << "\n" << text;
  return answer.value_or(Answer());
}

std::string error(std::string_view text) {
  const auto answer = read_answer(text);
  return answer ? "none" : answer.error().message;
}

constexpr char kTwoBlocks[] = R"(Sure, here is the change.

IDEA: wider loads make decode-4096 faster by about 10 %
STRATEGY: Wider Loads, split_kv
RISK: none

<<<<<<< SEARCH
int a = 1;
=======
int a = 2;
>>>>>>> REPLACE

and the other place:

<<<<<<< SEARCH
int b = 1;

=======
>>>>>>> REPLACE
Hope this helps!
)";

TEST(Answer, HoldsBlocksInOrder) {
  const Answer answer = parsed(kTwoBlocks);
  EXPECT_EQ(answer.idea, "wider loads make decode-4096 faster by about 10 %");
  EXPECT_THAT(answer.strategies, ElementsAre("wider-loads", "split-kv"));
  ASSERT_EQ(answer.blocks.size(), 2U);
  EXPECT_THAT(answer.blocks[0].search, ElementsAre("int a = 1;"));
  EXPECT_THAT(answer.blocks[0].replace, ElementsAre("int a = 2;"));
  EXPECT_THAT(answer.blocks[1].search, ElementsAre("int b = 1;", ""));
  EXPECT_THAT(answer.blocks[1].replace, IsEmpty());
  EXPECT_THAT(answer.file, IsEmpty());
}

TEST(Answer, TakesWindowsLineEnds) {
  std::string text;
  for (const char c : std::string_view(kTwoBlocks)) {
    if (c == '\n') text += '\r';
    text += c;
  }
  const Answer answer = parsed(text);
  ASSERT_EQ(answer.blocks.size(), 2U);
  EXPECT_THAT(answer.blocks[0].replace, ElementsAre("int a = 2;"));
}

TEST(Answer, TakesFencesAroundAndInsideBlocks) {
  const Answer answer = parsed(
      "```diff\n"
      "  <<<<<<<<< Search  \n```cpp\nint a;\n```\n=========\n"
      "```cpp\nint b;\n```\n>>>>>>> REPLACE\n"
      "```\n");
  ASSERT_EQ(answer.blocks.size(), 1U);
  EXPECT_THAT(answer.blocks[0].search, ElementsAre("int a;"));
  EXPECT_THAT(answer.blocks[0].replace, ElementsAre("int b;"));
}

TEST(Answer, TakesLabelsAsModelsWriteThem) {
  const Answer answer = parsed(
      "**Idea:** *fewer* launches\n"
      "- **Strategies**: fewer-launches; A b; fewer-launches, c, d\n"
      "<<<<< SEARCH\na\n=====\nb\n>>>>>\n");
  EXPECT_EQ(answer.idea, "fewer* launches");
  EXPECT_THAT(answer.strategies, ElementsAre("fewer-launches", "a-b", "c"));
}

TEST(Answer, TakesAWholeFile) {
  const Answer answer = parsed(
      "IDEA: x\nHere it is:\n```cpp\n/*evoke\nproblem = \"p\"\nevoke*/\n"
      "int a;\n```\nThat is all.\n");
  EXPECT_THAT(answer.file,
              ElementsAre("/*evoke", "problem = \"p\"", "evoke*/", "int a;"));
  EXPECT_TRUE(answer.file_is_closed);
  EXPECT_THAT(answer.blocks, IsEmpty());
}

TEST(Answer, TakesAFileWithoutFences) {
  const Answer bare = parsed("IDEA: x\n\n/*evoke\nevoke*/\nint a;\n");
  EXPECT_THAT(bare.file, ElementsAre("/*evoke", "evoke*/", "int a;"));
  EXPECT_FALSE(bare.file_is_closed);
  // An opening fence only, as in an answer that was cut off.
  const Answer open = parsed("```cpp\n/*evoke\nevoke*/\nint a;\n");
  EXPECT_THAT(open.file, ElementsAre("/*evoke", "evoke*/", "int a;"));
  EXPECT_FALSE(open.file_is_closed);
}

TEST(Answer, SkipsOtherFences) {
  const Answer answer = parsed(
      "```\nnvprof says no\n```\n````cpp\n/*evoke\nevoke*/\n```\n````\n");
  EXPECT_THAT(answer.file, ElementsAre("/*evoke", "evoke*/", "```"));
}

TEST(Answer, RefusesWhatIsNone) {
  EXPECT_THAT(error(""), HasSubstr("neither"));
  EXPECT_THAT(error("I would rather talk about the weather."),
              HasSubstr("neither"));
  EXPECT_THAT(error("```cpp\nint a;\n```\n"), HasSubstr("neither"));
  EXPECT_THAT(error("<<<<<<< SEARCH\na\n=======\nb\n"),
              HasSubstr("does not end"));
  EXPECT_THAT(error("<<<<<<< SEARCH\na\n>>>>>>> REPLACE\n"),
              HasSubstr("no ======= line"));
  EXPECT_THAT(error("<<<<<<< SEARCH\na\n=======\nb\n=======\n"
                    ">>>>>>> REPLACE\n"),
              HasSubstr("two ======="));
  EXPECT_THAT(error("<<<<<<< SEARCH\na\n<<<<<<< SEARCH\n"),
              HasSubstr("another block begins"));
  EXPECT_THAT(error("```\n/*evoke\nevoke*/\na\n```\n```\n/*evoke\nevoke*/\nb\n"
                    "```\n"),
              HasSubstr("two different"));
  EXPECT_THAT(error("<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\n```\n"
                    "/*evoke\nevoke*/\n```\n"),
              HasSubstr("one of both"));
}

TEST(Answer, DoesNotTakeCommentsForMarkers) {
  const Answer answer = parsed(
      "<<<<<<< SEARCH\n// ======= part one =======\n=======\n"
      "// ============\n>>>>>>> REPLACE\n");
  ASSERT_EQ(answer.blocks.size(), 1U);
  EXPECT_THAT(answer.blocks[0].search,
              ElementsAre("// ======= part one ======="));
  EXPECT_THAT(answer.blocks[0].replace, ElementsAre("// ============"));
}

}  // namespace
}  // namespace evoke::llm
