#include "evoke/proposers/llm/answer_edit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/proposers/kernels.h"

namespace evoke::llm {
namespace {

using testing::HasSubstr;

std::string block(const std::string& search, const std::string& replace) {
  return "<<<<<<< SEARCH\n" + search + "=======\n" + replace +
         ">>>>>>> REPLACE\n";
}

Result<std::string> edit(std::string_view base, const std::string& answer) {
  return edited_text(read_answer(answer).value(), base);
}

std::string edited(std::string_view base, const std::string& answer) {
  const auto text = edit(base, answer);
  return text ? *text : "error: " + text.error().message;
}

TEST(EditedText, ReplacesOneExactPlace) {
  EXPECT_EQ(edited("a\nb\nc\n", block("b\n", "x\ny\n")), "a\nx\ny\nc\n");
  EXPECT_EQ(edited("a\nb\nc\n", block("b\n", "")), "a\nc\n");
  EXPECT_EQ(edited("a\nb\nc\n", block("a\n", "z\na\n")), "z\na\nb\nc\n");
}

TEST(EditedText, AppliesBlocksInOrder) {
  EXPECT_EQ(edited("a\nb\n", block("a\n", "c\n") + block("c\nb\n", "d\n")),
            "d\n");
}

TEST(EditedText, RefusesPlacesThatAreNotClear) {
  EXPECT_THAT(edited("  a;\nb\n  a;\n", block("  a;\n", "c\n")),
              HasSubstr("block 1: SEARCH stands in 2 places (lines 1, 3)"));
  // One exact place is clear, whatever else looks like it.
  EXPECT_EQ(edited("  a;\nb\na;\n", block("a;\n", "c\n")), "  a;\nb\nc\n");
}

TEST(EditedText, ToleratesWhiteSpace) {
  EXPECT_EQ(edited("  if (x)  {\n    y();\n  }\n",
                   block("if (x) {\n  y();\n}\n", "if (z) {\n  y();\n}\n")),
            "  if (z) {\n    y();\n  }\n");
  EXPECT_EQ(edited("a\n", block("\n\na\n\n", "\nb\n\n")), "b\n");
  EXPECT_EQ(edited("\tx = 1;\n", block("    x = 1;\n", "    x = 2;\n")),
            "\tx = 2;\n");
}

TEST(EditedText, SaysWhereItComesClosest) {
  const std::string error =
      edited("a\nfirst\nsecond\nthird\n", block("first\nsecnod\n", "x\n"));
  EXPECT_THAT(error, HasSubstr("block 1: SEARCH does not stand in the file"));
  EXPECT_THAT(error, HasSubstr("line 2"));
  EXPECT_THAT(error, HasSubstr("line 3 is 'second', not 'secnod'"));
  EXPECT_THAT(edited("a\n", block("q\n", "x\n")),
              HasSubstr("none of its lines"));
}

TEST(EditedText, RefusesBlocksThatDoNothing) {
  EXPECT_THAT(edited("a\n\nb\n", block("", "x\n")),
              HasSubstr("SEARCH is empty"));
  EXPECT_THAT(edited("a\n\nb\n", block("\n", "x\n")),
              HasSubstr("SEARCH is empty"));
  EXPECT_THAT(edited("x = 4\n", block("x = 4\n", "x = 4\n")),
              HasSubstr("is what stands there already"));
  EXPECT_THAT(edited("a\nb\n", block("a\n", "c\n") + block("b\n", "b\n")),
              HasSubstr("block 2"));
}

// ------------------------------------------------------- whole kernel files

KernelSource parent() { return kernels::parsed(kernels::kSplit); }

Result<KernelSource> made(const std::string& answer) {
  const KernelSource from = parent();
  return edited_kernel(read_answer(answer).value(), from.text(), from,
                       "candidate.cpp");
}

std::string error(const std::string& answer) {
  const auto kernel = made(answer);
  return kernel ? "none" : kernel.error().message;
}

TEST(EditedKernel, ChangesPlanAndCode) {
  const auto kernel =
      made(block("splits = { value = 4, choices = [1, 2, 4, 8] }\n",
                 "splits = { value = 8, choices = [1, 2, 4, 8] }\n") +
           block("  float total = row.sum;\n", "  float total = 0;\n"));
  ASSERT_TRUE(kernel) << kernel.error().message;
  EXPECT_EQ(kernel->plan().find_parameter("splits")->value, 8);
  EXPECT_THAT(kernel->text(), HasSubstr("float total = 0;"));
}

TEST(EditedKernel, KeepsWhatMayNotChange) {
  const char* const outside =
      "// A comment that speaks of splits and of KERNEL(nothing).\n";
  EXPECT_THAT(error(block(outside, "// mine now\n")),
              HasSubstr("may not change"));
  EXPECT_THAT(error(block("// EVOLVE-BLOCK-END\n", "")),
              HasSubstr("EVOLVE-BLOCK-START"));
  EXPECT_THAT(error(block("// EVOLVE-BLOCK-START\n",
                          "int free;\n// EVOLVE-BLOCK-START\n")),
              HasSubstr("may not change"));
  EXPECT_THAT(error(block("problem = \"attention\"\n", "problem = \"p\"\n")),
              HasSubstr("may not change"));
}

TEST(EditedKernel, RefusesCommentsAndLayoutAlone) {
  EXPECT_THAT(error(block("  float sum = 0;\n",
                          "  // the sum\n  float sum =\n      0;\n")),
              HasSubstr("nothing of the parent but comments"));
  EXPECT_THAT(error(block("summary = \"split keys\"\n",
                          "summary = \"split keys, quicker\"\n")),
              HasSubstr("nothing of the parent but comments"));
}

TEST(EditedKernel, PassesTheParsersErrorsOn) {
  EXPECT_THAT(error(block("width = 8\n", "width = eight\n")),
              HasSubstr("candidate.cpp:"));
}

TEST(EditedKernel, TakesWholeFiles) {
  std::string text(kernels::kSplit);
  const std::size_t at = text.find("float sum = 0;");
  text.replace(at, 14, "float sum = 1;");
  const auto fenced = made("```cpp\n" + text + "```\nGood luck!\n");
  ASSERT_TRUE(fenced) << fenced.error().message;
  EXPECT_EQ(fenced->text(), text);
  // Without a fence the prose behind it is no part of the file.
  const auto bare = made(text + "\nThis should be faster.\n");
  ASSERT_TRUE(bare) << bare.error().message;
  EXPECT_EQ(bare->text(), text);
}

TEST(EditedKernel, CutsProseBehindFilesWithoutMarkers) {
  std::string text(kernels::kTiled);
  for (const char* marker :
       {"// EVOLVE-BLOCK-START\n", "// EVOLVE-BLOCK-END\n"}) {
    text.erase(text.find(marker), std::string(marker).size());
  }
  const KernelSource from = kernels::parsed(text);
  std::string changed = text;
  changed.replace(changed.find("{1, 2}"), 6, "{2, 1}");
  const auto kernel = edited_kernel(
      read_answer(changed + "\nThis swaps the two numbers.\n").value(),
      from.text(), from, "candidate.cpp");
  ASSERT_TRUE(kernel) << kernel.error().message;
  EXPECT_EQ(kernel->text(), changed);
}

TEST(EditedKernel, MendsAFileThatDoesNotParse) {
  const KernelSource from = parent();
  std::string broken = from.text();
  broken.replace(broken.find("width = 8"), 9, "width = \"8\"");
  ASSERT_FALSE(KernelSource::parse(broken, Dialect::cpu, "x.cpp"));
  const auto mended = edited_kernel(
      read_answer(block("width = \"8\"\n", "width = 16\n")).value(), broken,
      from, "candidate.cpp");
  ASSERT_TRUE(mended) << mended.error().message;
  EXPECT_EQ(mended->plan().find_parameter("width")->value, 16);
  // Undoing the failed change is no repair.
  EXPECT_FALSE(edited_kernel(
      read_answer(block("width = \"8\"\n", "width = 8\n")).value(), broken,
      from, "candidate.cpp"));
}

}  // namespace
}  // namespace evoke::llm
