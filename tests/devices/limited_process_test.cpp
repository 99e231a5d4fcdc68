#include "evoke/devices/cpu/limited_process.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

namespace evoke::cpu {
namespace {

SubprocessOptions shell(const std::string& script) {
  SubprocessOptions options;
  options.arguments = {"/bin/sh", "-c", script};
  options.environment = {"PATH=/usr/bin:/bin"};
  return options;
}

TEST(LimitedProcess, ReportsStatusAndOutput) {
  const auto reply = run_limited(shell("echo text; exit 3"), {});
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status.code, 3);
  EXPECT_EQ(reply->output, "text\n");
  EXPECT_EQ(reply->limit, "");
}

TEST(LimitedProcess, StopsAtTheTimeLimit) {
  ProcessLimits limits;
  limits.time_ms = 1000;
  const auto reply = run_limited(shell("sleep 60 & sleep 60"), limits);
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->limit, "1 seconds");
  EXPECT_FALSE(reply->status.ok());
}

TEST(LimitedProcess, WatchesAFolder) {
  std::string folder = ::testing::TempDir() + "/evoke-limits-XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  ProcessLimits limits;
  limits.time_ms = 60'000;
  limits.folder_bytes = 1 << 20;
  limits.watched_folder = folder;
  SubprocessOptions options =
      shell("dd if=/dev/zero of=big bs=65536 count=32 2>/dev/null; sleep 60");
  options.working_folder = folder;
  const auto reply = run_limited(options, limits);
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->limit, "1 MB of files");
  std::filesystem::remove_all(folder);
}

#if defined(__linux__)
TEST(LimitedProcess, CountsTheMemoryOfDescendants) {
  EXPECT_GT(tree_resident_bytes(::getpid()), 1 << 20);
  EXPECT_EQ(tree_resident_bytes(-1), 0);
}
#endif

}  // namespace
}  // namespace evoke::cpu
