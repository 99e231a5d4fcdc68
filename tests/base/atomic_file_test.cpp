#include "evoke/base/atomic_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <filesystem>
#include <string>
#include <vector>

#include "evoke/base/fd.h"

namespace evoke {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class AtomicFileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/atomic_file.XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string path(const std::string& name) const {
    return (folder_ / name).string();
  }
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(folder_)) {
      found.push_back(entry.path().filename());
    }
    return found;
  }
  fs::path folder_;
};

TEST_F(AtomicFileTest, WritesAndReplaces) {
  ASSERT_TRUE(write_file_atomically(path("a"), "first"));
  EXPECT_EQ(*read_file(path("a")), "first");
  const std::string text(1'000'000, 'x');
  ASSERT_TRUE(write_file_atomically(path("a"), text));
  EXPECT_EQ(*read_file(path("a")), text);
  ASSERT_TRUE(write_file_atomically(path("a"), ""));
  EXPECT_EQ(*read_file(path("a")), "");
  EXPECT_THAT(names(), ElementsAre("a"));
}

TEST_F(AtomicFileTest, KeepsEveryByte) {
  const std::string text("\0\r\n\xff\0", 5);
  ASSERT_TRUE(write_file_atomically(path("a"), text));
  EXPECT_EQ(*read_file(path("a")), text);
}

TEST_F(AtomicFileTest, NamesAFolderThatIsNotThere) {
  const auto written = write_file_atomically(path("none/a"), "text");
  ASSERT_FALSE(written);
  EXPECT_THAT(written.error().message, HasSubstr(path("none/a")));
  EXPECT_THAT(names(), ElementsAre());
}

TEST_F(AtomicFileTest, LeavesNothingBehindWhenTheNameIsAFolder) {
  fs::create_directory(path("a"));
  const auto written = write_file_atomically(path("a"), "text");
  ASSERT_FALSE(written);
  EXPECT_THAT(written.error().message, HasSubstr("rename"));
  EXPECT_THAT(names(), ElementsAre("a"));
  EXPECT_TRUE(fs::is_directory(path("a")));
}

// A file size limit fails writes half way, as a full disk does.
TEST_F(AtomicFileTest, KeepsTheOldFileWhenTheTextDoesNotFit) {
  ASSERT_TRUE(write_file_atomically(path("a"), "old"));
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = ::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 4096;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto written =
      write_file_atomically(path("a"), std::string(100'000, 'x'));
  ::setrlimit(RLIMIT_FSIZE, &before);
  ::signal(SIGXFSZ, handler);
  ASSERT_FALSE(written);
  EXPECT_THAT(written.error().message, HasSubstr(path("a")));
  EXPECT_EQ(*read_file(path("a")), "old");
  EXPECT_THAT(names(), ElementsAre("a"));
}

}  // namespace
}  // namespace evoke
