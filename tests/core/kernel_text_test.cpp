#include "evoke/core/kernel_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "evoke/core/kernel_source.h"

namespace evoke {
namespace {

using testing::HasSubstr;

KernelText split(const std::string& raw) {
  auto text = split_kernel_text(raw, "k.cpp");
  EXPECT_TRUE(text) << text.error().message;
  return text.value_or(KernelText{});
}

std::string split_error(const std::string& raw) {
  const auto text = split_kernel_text(raw, "k.cpp");
  EXPECT_FALSE(text);
  return text ? "" : text.error().message;
}

TEST(KernelText, NormalisesLineEndsAndBlanks) {
  const std::string wanted = "/*evoke\na = 1\nevoke*/\ncode\n";
  EXPECT_EQ(split("/*evoke\na = 1\nevoke*/\ncode").text, wanted);
  EXPECT_EQ(split("/*evoke\r\na = 1\r\nevoke*/\r\ncode\r\n").text, wanted);
  EXPECT_EQ(split("/*evoke\ra = 1\revoke*/\rcode").text, wanted);
  EXPECT_EQ(split("/*evoke \t\na = 1  \nevoke*/ \ncode\t\n\n \n\n").text,
            wanted);
  EXPECT_EQ(split("\xef\xbb\xbf/*evoke\na = 1\nevoke*/\ncode\n").text, wanted);
  EXPECT_EQ(split(wanted).text, wanted);
}

TEST(KernelText, FindsPlanAndCode) {
  const KernelText text = split("\n\n/*evoke a\nb evoke*/ c\nd\n");
  EXPECT_EQ(text.plan(), " a\nb ");
  EXPECT_EQ(text.plan_line, 3);
  EXPECT_EQ(text.code(), " c\nd\n");
  EXPECT_EQ(text.code_line, 4);
}

TEST(KernelText, NamesWhatIsMissing) {
  EXPECT_THAT(split_error(""), HasSubstr("k.cpp:1: no plan"));
  EXPECT_THAT(split_error("\n\nint x;"), HasSubstr("k.cpp:3: no plan"));
  EXPECT_THAT(split_error("// hello\n/*evoke\nevoke*/"),
              HasSubstr("k.cpp:1: no plan"));
  EXPECT_THAT(split_error("\n/*evoke\na = 1\n"),
              HasSubstr("k.cpp:2: the plan does not end"));
  EXPECT_THAT(split_error("/*evoke\na = 1\n*/\nevoke*/"),
              HasSubstr("k.cpp:3: '*/' ends the plan's comment here"));
  EXPECT_THAT(split_error("/*evoke*/"),
              HasSubstr("k.cpp:1: '*/' ends the plan's comment here"));
}

TEST(KernelText, RefusesBytesThatAreNotText) {
  const std::string head = "/*evoke\nevoke*/\n";
  EXPECT_THAT(split_error(head + "a\nb\xff"), HasSubstr("k.cpp:4: not UTF-8"));
  EXPECT_THAT(split_error(head + std::string("a\0b", 3)),
              HasSubstr("k.cpp:3: control character 0x00"));
  EXPECT_THAT(split_error(head + "\x1b[0m"), HasSubstr("character 0x1b"));
  EXPECT_THAT(split_error(head + "// \xe2\x80\xae x"),
              HasSubstr("k.cpp:3: a character that changes text direction"));
  EXPECT_THAT(split_error(head + "// \xe2\x81\xa7 x"),
              HasSubstr("changes text direction"));
  EXPECT_EQ(split(head + "// \xe2\x82\xac\xe2\x81\xb0\n").code(),
            "\n// \xe2\x82\xac\xe2\x81\xb0\n");
}

TEST(KernelText, RefusesFilesThatAreTooLarge) {
  EXPECT_THAT(split_error(std::string(KernelSource::kMaxBytes + 1, ' ')),
              HasSubstr("a kernel file has at most 1048576"));
}

TEST(KernelText, MarkersComeInPairs) {
  const std::string head = "/*evoke\nevoke*/\n";
  EXPECT_THAT(split_error(head + "// EVOLVE-BLOCK-START\n"),
              HasSubstr("k.cpp:3: EVOLVE-BLOCK-START without "
                        "EVOLVE-BLOCK-END after it"));
  EXPECT_THAT(split_error(head + "\n# EVOLVE-BLOCK-END\n"),
              HasSubstr("k.cpp:4: EVOLVE-BLOCK-END without "
                        "EVOLVE-BLOCK-START before it"));
  EXPECT_THAT(split_error(head + "// EVOLVE-BLOCK-START\n"
                                 "// EVOLVE-BLOCK-START\n"),
              HasSubstr("k.cpp:4: EVOLVE-BLOCK-START without "
                        "EVOLVE-BLOCK-END before it"));
  EXPECT_THAT(split_error(head + "// EVOLVE-BLOCK-START EVOLVE-BLOCK-END\n"),
              HasSubstr("k.cpp:3: two EVOLVE-BLOCK markers on one line"));
}

TEST(KernelText, CutsCodeAtTheMarkers) {
  const auto segments = segments_of(
      "a\n// EVOLVE-BLOCK-START\nb\nc\n// EVOLVE-BLOCK-END\nd\n", 10);
  ASSERT_EQ(segments.size(), 3U);
  EXPECT_FALSE(segments[0].mutable_text);
  EXPECT_THAT(segments[0].lines,
              testing::ElementsAre("a", "// EVOLVE-BLOCK-START"));
  EXPECT_TRUE(segments[1].mutable_text);
  EXPECT_EQ(segments[1].first_line, 12);
  EXPECT_THAT(segments[1].lines, testing::ElementsAre("b", "c"));
  EXPECT_FALSE(segments[2].mutable_text);
  EXPECT_EQ(segments[2].first_line, 14);
  EXPECT_THAT(segments[2].lines,
              testing::ElementsAre("// EVOLVE-BLOCK-END", "d"));

  const auto whole = segments_of("a\nb\n", 1);
  ASSERT_EQ(whole.size(), 1U);
  EXPECT_TRUE(whole[0].mutable_text);
}

}  // namespace
}  // namespace evoke
