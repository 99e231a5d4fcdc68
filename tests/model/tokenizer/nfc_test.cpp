#include "evoke/model/tokenizer/nfc.h"

#include <gtest/gtest.h>

#include <string>

namespace evoke::model {
namespace {

std::string nfc(std::string_view text) {
  std::string storage;
  return std::string(to_nfc(text, storage));
}

TEST(Nfc, LeavesNormalTextWhereItIs) {
  std::string storage;
  for (const std::string_view text :
       {"", "plain", "\u00e9\u4e2d\uac01\U0001f600", "a long plain text"}) {
    EXPECT_EQ(to_nfc(text, storage).data(), text.data());
  }
}

TEST(Nfc, Composes) {
  EXPECT_EQ(nfc("e\u0301"), "\u00e9");
  EXPECT_EQ(nfc("xe\u0301x"), "x\u00e9x");
  EXPECT_EQ(nfc("12345678e\u0301"), "12345678\u00e9");
  EXPECT_EQ(nfc("\u1100\u1161\u11a8"), "\uac01");
  EXPECT_EQ(nfc("\uac00\u11a8"), "\uac01");
  EXPECT_EQ(nfc("\u304b\u3099"), "\u304c");
  EXPECT_EQ(nfc("e\u0301 e\u0301"), "\u00e9 \u00e9");
}

TEST(Nfc, DecomposesWhatIsExcludedFromComposition) {
  EXPECT_EQ(nfc("\u0958"), "\u0915\u093c");
  EXPECT_EQ(nfc("\u212b\u2126"), "\u00c5\u03a9");
  EXPECT_EQ(nfc("\u0344"), "\u0308\u0301");
}

TEST(Nfc, OrdersMarks) {
  EXPECT_EQ(nfc("q\u0307\u0323"), "q\u0323\u0307");
  EXPECT_EQ(nfc("\u0307\u0323"), "\u0323\u0307");
  EXPECT_EQ(nfc("s\u0307\u0323"), "\u1e69");
}

TEST(Nfc, LongRunsOfMarksTakeLittleTime) {
  std::string text = "a";
  std::string ordered;
  for (int i = 0; i < 200'000; ++i) text += "\u0315\u0327";
  const std::string normal = nfc(text);
  EXPECT_EQ(normal.size(), text.size());
  EXPECT_EQ(normal.find("\u0315"), 1 + 2 * 200'000U);
}

}  // namespace
}  // namespace evoke::model
