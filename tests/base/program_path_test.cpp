#include "evoke/base/program_path.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace evoke {
namespace {

TEST(ProgramPath, IsThisTestsOwn) {
  const std::filesystem::path path = program_path();
  EXPECT_TRUE(path.is_absolute());
  EXPECT_EQ(path.filename(), "base_test");
  EXPECT_TRUE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace evoke
