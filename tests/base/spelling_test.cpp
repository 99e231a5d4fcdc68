#include "evoke/base/spelling.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace evoke {
namespace {

TEST(Spelling, CountsEdits) {
  EXPECT_EQ(edit_distance("", ""), 0);
  EXPECT_EQ(edit_distance("abc", ""), 3);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3);
  EXPECT_EQ(edit_distance("choices", "choises"), 1);
  EXPECT_EQ(edit_distance("Hvk", "Hkv"), 1);
  EXPECT_EQ(edit_distance("ab", "ba"), 1);
}

TEST(Spelling, NamesTheNearestWord) {
  const std::vector<std::string> known{"kernel", "reads", "writes", "threads"};
  EXPECT_EQ(did_you_mean("kernal", known), " (did you mean 'kernel'?)");
  EXPECT_EQ(did_you_mean("write", known), " (did you mean 'writes'?)");
  EXPECT_EQ(did_you_mean("thread", known), " (did you mean 'threads'?)");
  EXPECT_EQ(did_you_mean("wri", known), " (did you mean 'writes'?)");
  EXPECT_EQ(did_you_mean("xyz", known), "");
  EXPECT_EQ(did_you_mean("", known), "");
  EXPECT_EQ(did_you_mean("kernel", {}), "");
  EXPECT_EQ(did_you_mean(std::string(100'000, 'k'), known), "");
}

}  // namespace
}  // namespace evoke
