#include "evoke/store/best_folder.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "evoke/base/fd.h"
#include "tests/store/support.h"

namespace evoke {
namespace {

using test::TemporaryFolder;

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

TEST(BestFolder, IsReplacedAsAWhole) {
  const TemporaryFolder folder;
  ASSERT_TRUE(replace_best_folder(folder.path(), {{"a", "1"}, {"b", "1"}}));
  ASSERT_TRUE(replace_best_folder(folder.path(), {{"a", "2"}}));
  EXPECT_EQ(names_in(folder / "best"), std::vector<std::string>{"a"});
  EXPECT_EQ(read_file(folder / "best/a").value(), "2");
  EXPECT_EQ(names_in(folder.path()), std::vector<std::string>{"best"});
}

TEST(BestFolder, StaysWhenTheOtherCannotBeWritten) {
  const TemporaryFolder folder;
  ASSERT_TRUE(replace_best_folder(folder.path(), {{"a", "1"}}));
  EXPECT_FALSE(
      replace_best_folder(folder.path(), {{"a", "2"}, {"no/where", "2"}}));
  EXPECT_EQ(read_file(folder / "best/a").value(), "1");
  EXPECT_EQ(names_in(folder.path()), std::vector<std::string>{"best"});
}

TEST(BestFolder, WhatAnInterruptedReplacementLeftIsPutRight) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "best.old");
  std::filesystem::create_directory(folder / "best.partial");
  remove_best_leftovers(folder.path());  // it died between two renames
  EXPECT_EQ(names_in(folder.path()), std::vector<std::string>{"best"});
  std::filesystem::create_directory(folder / "best.old");
  remove_best_leftovers(folder.path());  // it died after them
  EXPECT_EQ(names_in(folder.path()), std::vector<std::string>{"best"});
}

// Who holds the folder open reads two files of one best, or none.
TEST(BestFolder, ReadersNeverSeeTwoBestsAtOnce) {
  const TemporaryFolder folder;
  ASSERT_TRUE(replace_best_folder(folder.path(), {{"a", "0"}, {"b", "0"}}));
  std::atomic<bool> done = false;
  std::atomic<int> read_whole = 0;
  std::thread reader([&] {
    const std::string place = folder / "best";
    const auto digit = [](int best, const char* name) {
      const Fd file(::openat(best, name, O_RDONLY | O_CLOEXEC));
      char buffer[8] = {};
      const auto size =
          file.valid() ? ::read(file.get(), buffer, sizeof(buffer)) : 0;
      return std::string(buffer, size > 0 ? static_cast<std::size_t>(size) : 0);
    };
    while (!done || read_whole == 0) {
      const Fd best(::open(place.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      if (!best.valid()) continue;
      const std::string a = digit(best.get(), "a");
      const std::string b = digit(best.get(), "b");
      if (a.empty() || b.empty()) continue;  // replaced meanwhile
      EXPECT_EQ(a, b);
      ++read_whole;
    }
  });
  for (int i = 1; i <= 40; ++i) {
    const std::string text = std::to_string(i);
    EXPECT_TRUE(replace_best_folder(folder.path(), {{"a", text}, {"b", text}}));
  }
  done = true;
  reader.join();
}

}  // namespace
}  // namespace evoke
