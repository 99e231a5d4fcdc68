#include <gmock/gmock.h>

#include "evoke/baselines/baseline.h"

namespace evoke {
namespace {

using ::testing::HasSubstr;

TEST(OpenBaseline, AnUnknownNameListsTheKnownOnes) {
  const auto baseline = open_baseline("torch", 1);
  ASSERT_FALSE(baseline);
  EXPECT_EQ(baseline.error().kind, ErrorKind::absent);
  EXPECT_THAT(baseline.error().message, HasSubstr("no baseline 'torch'"));
  for (const std::string& name : known_baselines()) {
    EXPECT_THAT(baseline.error().message, HasSubstr(name));
  }
}

TEST(OpenBaseline, KnowsMlxAndASecondOne) {
  EXPECT_THAT(known_baselines(),
              ::testing::IsSupersetOf({"mlx", "onednn", "openvino"}));
}

// What is not built here is absent and says what to install; what is built
// opens.
TEST(OpenBaseline, OpensOrSaysWhatToInstall) {
  for (const std::string& name : known_baselines()) {
    const auto baseline = open_baseline(name, 0);
    if (baseline) {
      EXPECT_EQ((*baseline)->name(), name);
      continue;
    }
    EXPECT_EQ(baseline.error().kind, ErrorKind::absent) << name;
    EXPECT_THAT(baseline.error().message, HasSubstr("install")) << name;
  }
}

}  // namespace
}  // namespace evoke
