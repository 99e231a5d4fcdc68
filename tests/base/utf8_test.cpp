#include "evoke/base/utf8.h"

#include <gtest/gtest.h>

#include <string>

#include "evoke/base/json.h"
#include "evoke/base/rng.h"

namespace evoke {
namespace {

constexpr std::size_t kValid = std::string_view::npos;

TEST(Utf8, FindsTheFirstInvalidByte) {
  EXPECT_EQ(find_invalid_utf8(""), kValid);
  EXPECT_EQ(find_invalid_utf8("plain"), kValid);
  EXPECT_EQ(find_invalid_utf8("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80"),
            kValid);
  EXPECT_EQ(find_invalid_utf8("ab\xff"), 2U);
  EXPECT_EQ(find_invalid_utf8("\xc0\xaf"), 0U);          // overlong '/'
  EXPECT_EQ(find_invalid_utf8("\xe0\x80\xaf"), 0U);      // overlong
  EXPECT_EQ(find_invalid_utf8("\xed\xa0\x80"), 0U);      // surrogate
  EXPECT_EQ(find_invalid_utf8("\xf4\x90\x80\x80"), 0U);  // above U+10FFFF
  EXPECT_EQ(find_invalid_utf8("a\xe2\x82"), 1U);         // cut short
  EXPECT_EQ(find_invalid_utf8("\x80"), 0U);
}

TEST(Utf8, ReplacesWhatIsNotValid) {
  EXPECT_EQ(to_valid_utf8("a\xff\xc3\xa4"), "a\xef\xbf\xbd\xc3\xa4");
  EXPECT_EQ(to_valid_utf8("plain"), "plain");
}

TEST(Utf8, FindsCharactersThatReorderText) {
  EXPECT_EQ(find_direction_change("plain \xe2\x80\x94 \xe2\x80\xa6"), kValid);
  EXPECT_EQ(find_direction_change("ab\xe2\x80\xaa"), 2U);
  EXPECT_EQ(find_direction_change("\xe2\x80\xae"), 0U);
  EXPECT_EQ(find_direction_change("\xe2\x80\xaf"), kValid);
  EXPECT_EQ(find_direction_change("a\xe2\x81\xa6"), 1U);
  EXPECT_EQ(find_direction_change("\xe2\x81\xa9"), 0U);
  EXPECT_EQ(find_direction_change("\xe2\x81\xaa"), kValid);
  EXPECT_EQ(find_direction_change("\xe2\x80"), kValid);
}

TEST(Utf8, OneLineIsOneLine) {
  EXPECT_EQ(one_line("plain"), "plain");
  EXPECT_EQ(one_line("a\nb\tc\x7f"), "a b c ");
  EXPECT_EQ(one_line("a\xff"), "a\xef\xbf\xbd");
  EXPECT_EQ(one_line("12345", 5), "12345");
  EXPECT_EQ(one_line("123456", 5), "12345...");
  // Never through the middle of a character.
  EXPECT_EQ(one_line("1234\xc3\xa4", 5), "1234...");
  EXPECT_EQ(one_line("\x80\x80\x80", 2), "...");
}

TEST(Utf8, WhatItAcceptsJsonAcceptsToo) {
  Rng rng(11);
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (uint64_t n = 1 + rng.below(6); n > 0; --n) {
      text.push_back(static_cast<char>(rng.chance(0.7) ? 0x80 + rng.below(128)
                                                       : rng.below(128)));
    }
    bool dumps = true;
    try {
      (void)Json(text).dump();
    } catch (const Json::exception&) {
      dumps = false;
    }
    EXPECT_EQ(find_invalid_utf8(text) == kValid, dumps);
    EXPECT_EQ(find_invalid_utf8(to_valid_utf8(text)), kValid);
  }
}

}  // namespace
}  // namespace evoke
