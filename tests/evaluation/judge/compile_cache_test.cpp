#include "evoke/evaluation/judge/compile_cache.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/temporary_folder.h"

namespace evoke::judge {
namespace {

namespace fs = std::filesystem;
using Status = protocol::Compiled::Status;

protocol::Compiled example(char fill, std::size_t bytes = 1000,
                           Status status = Status::ok) {
  protocol::Compiled compiled;
  compiled.status = status;
  compiled.artifact.assign(bytes, static_cast<std::byte>(fill));
  compiled.diagnostics = "line 3: a warning";
  compiled.report["code_bytes"] = 123;
  compiled.elapsed_ms = 17.25;
  return compiled;
}

// Keys are what hash_hex gives: 32 hexadecimal digits.
std::string key(int number) {
  std::string digits = std::to_string(number);
  return std::string(32 - digits.size(), '0') + digits;
}

class CompileCacheTest : public ::testing::Test {
 protected:
  CompileCache open(int64_t max_bytes = 1 << 20) {
    auto opened = CompileCache::open({place(), max_bytes});
    if (!opened) throw std::runtime_error(opened.error().message);
    return std::move(*opened);
  }
  std::string place() const { return folder_.file("compile"); }
  std::string file_of(int number) const {
    return place() + "/" + key(number) + ".cbor";
  }
  int num_files() const {
    int files = 0;
    for (const auto& each : fs::directory_iterator(place())) {
      (void)each;
      ++files;
    }
    return files;
  }
  void set_age(int number, std::chrono::hours age) const {
    fs::last_write_time(file_of(number),
                        fs::file_time_type::clock::now() - age);
  }
  test::TemporaryFolder folder_;
};

TEST_F(CompileCacheTest, GivesBackWhatWasKept) {
  CompileCache cache = open();
  EXPECT_FALSE(cache.find(key(1)));
  cache.insert(key(1), example('a'));
  const auto found = cache.find(key(1));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->to_json(), example('a').to_json());
  EXPECT_FALSE(cache.find(key(2)));
}

TEST_F(CompileCacheTest, KeepsItForTheNextRun) {
  open().insert(key(1), example('a'));
  CompileCache later = open();
  EXPECT_GT(later.total_bytes(), 1000);
  ASSERT_TRUE(later.find(key(1)));
}

TEST_F(CompileCacheTest, TheLastAnswerCounts) {
  CompileCache cache = open();
  cache.insert(key(1), example('a'));
  cache.insert(key(1), example('b'));
  EXPECT_EQ(cache.find(key(1))->artifact, example('b').artifact);
  EXPECT_EQ(num_files(), 1);
}

TEST_F(CompileCacheTest, KeepsWhatTheCompilerSaysOfTheCode) {
  CompileCache cache = open();
  for (const Status status : {Status::failed, Status::rejected}) {
    cache.insert(key(1), example('a', 0, status));
    const auto found = cache.find(key(1));
    ASSERT_TRUE(found);
    EXPECT_EQ(found->status, status);
    EXPECT_EQ(found->diagnostics, "line 3: a warning");
  }
}

TEST_F(CompileCacheTest, ForgetsWhatSaysNothingOfTheCode) {
  CompileCache cache = open();
  for (const Status status : {Status::timed_out, Status::unavailable}) {
    EXPECT_FALSE(is_cacheable(status));
    cache.insert(key(1), example('a', 10, status));
    EXPECT_FALSE(cache.find(key(1)));
  }
  EXPECT_EQ(num_files(), 0);
}

TEST_F(CompileCacheTest, ATornFileCountsAsAbsent) {
  CompileCache cache = open();
  cache.insert(key(1), example('a'));
  const auto whole = fs::file_size(file_of(1));
  for (const std::uintmax_t bytes :
       {whole - 1, whole / 2, std::uintmax_t{33}, std::uintmax_t{32},
        std::uintmax_t{5}, std::uintmax_t{0}}) {
    cache.insert(key(1), example('a'));
    fs::resize_file(file_of(1), bytes);
    EXPECT_FALSE(cache.find(key(1))) << bytes;
    EXPECT_FALSE(fs::exists(file_of(1))) << bytes;
  }
}

TEST_F(CompileCacheTest, ADamagedFileCountsAsAbsent) {
  CompileCache cache = open();
  cache.insert(key(1), example('a', 100));
  const auto size = static_cast<int>(fs::file_size(file_of(1)));
  for (int at = 0; at < size; at += 7) {
    cache.insert(key(1), example('a', 100));
    {
      std::fstream file(file_of(1),
                        std::ios::in | std::ios::out | std::ios::binary);
      file.seekg(at);
      const char was = static_cast<char>(file.get());
      file.seekp(at);
      file.put(static_cast<char>(was ^ 4));
    }
    EXPECT_FALSE(cache.find(key(1))) << at;
    EXPECT_FALSE(fs::exists(file_of(1))) << at;
  }
}

TEST_F(CompileCacheTest, StaysWithinItsBound) {
  constexpr int64_t kBound = 20'000;
  CompileCache cache = open(kBound);
  for (int i = 0; i < 100; ++i) cache.insert(key(i), example('a'));
  EXPECT_LE(cache.total_bytes(), kBound);
  int64_t bytes = 0;
  for (const auto& each : fs::directory_iterator(place())) {
    bytes += static_cast<int64_t>(each.file_size());
  }
  EXPECT_LE(bytes, kBound);
  EXPECT_GT(bytes, kBound / 2);
}

TEST_F(CompileCacheTest, WhatWasNotUsedForTheLongestTimeGoesFirst) {
  open().insert(key(0), example('a'));
  const auto each = static_cast<int64_t>(fs::file_size(file_of(0)));
  {
    CompileCache cache = open(each * 10);
    for (int i = 0; i < 8; ++i) cache.insert(key(i), example('a'));
    for (int i = 0; i < 8; ++i) set_age(i, std::chrono::hours(100 - i));
    EXPECT_TRUE(cache.find(key(0)));  // used now
  }
  CompileCache smaller = open(each * 4);
  EXPECT_TRUE(fs::exists(file_of(0)));
  EXPECT_FALSE(fs::exists(file_of(1)));
  EXPECT_FALSE(fs::exists(file_of(2)));
  EXPECT_TRUE(fs::exists(file_of(7)));
}

TEST_F(CompileCacheTest, FilesOfOthersAreLeftAlone) {
  CompileCache cache = open(3'000);
  std::ofstream(place() + "/notes.txt") << std::string(10'000, 'x');
  for (int i = 0; i < 20; ++i) cache.insert(key(i), example('a'));
  EXPECT_TRUE(fs::exists(place() + "/notes.txt"));
}

// What a process that was killed while it wrote has left.
TEST_F(CompileCacheTest, OldDraftsGo) {
  open();
  const std::string old_draft = place() + "/draft-1-0";
  const std::string young_draft = place() + "/draft-1-1";
  std::ofstream(old_draft) << "half";
  std::ofstream(young_draft) << "half";
  fs::last_write_time(old_draft,
                      fs::file_time_type::clock::now() - std::chrono::hours(2));
  open();
  EXPECT_FALSE(fs::exists(old_draft));
  EXPECT_TRUE(fs::exists(young_draft));
}

TEST_F(CompileCacheTest, AFolderThatCannotBeMadeIsNamed) {
  std::ofstream(folder_.file("file")) << "not a folder";
  const auto opened = CompileCache::open({folder_.file("file/compile"), 1});
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message.find(folder_.file("file/compile")),
            std::string::npos);
  EXPECT_NE(opened.error().message.find("XDG_CACHE_HOME"), std::string::npos);
}

// The folder is gone, or full, or turned read-only: the next run compiles
// again, this one goes on.
TEST_F(CompileCacheTest, NotBeingAbleToWriteIsNoError) {
  CompileCache cache = open();
  fs::remove_all(place());
  cache.insert(key(1), example('a'));
  EXPECT_FALSE(cache.find(key(1)));
  std::ofstream(place()) << "a file now";
  cache.insert(key(1), example('a'));
  EXPECT_FALSE(cache.find(key(1)));
}

// Readers see a whole entry or none, whoever writes beside them.
void write_and_read(const std::string& folder, int seed, int rounds,
                    bool& right) {
  auto cache = CompileCache::open({folder, 40'000});
  right = cache.has_value();
  for (int i = 0; right && i < rounds; ++i) {
    const int number = (seed * 7 + i) % 12;
    const auto fill = static_cast<char>('a' + number);
    if (const auto found = cache->find(key(number))) {
      right = found->artifact == example(fill, 4000).artifact;
    }
    cache->insert(key(number), example(fill, 4000));
  }
}

TEST_F(CompileCacheTest, ThreadsShareIt) {
  CompileCache cache = open(40'000);
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 100; ++i) {
        const int number = (t * 7 + i) % 12;
        const auto fill = static_cast<char>('a' + number);
        cache.insert(key(number), example(fill, 4000));
        const auto found = cache.find(key(number));
        if (found && found->artifact != example(fill, 4000).artifact) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_LE(cache.total_bytes(), 40'000);
}

TEST_F(CompileCacheTest, ProcessesShareIt) {
  open();
  std::vector<pid_t> children;
  for (int seed = 0; seed < 3; ++seed) {
    const pid_t child = ::fork();
    if (child == 0) {
      bool right = false;
      write_and_read(place(), seed, 100, right);
      ::_exit(right ? 0 : 1);
    }
    children.push_back(child);
  }
  bool right = false;
  write_and_read(place(), 3, 100, right);
  EXPECT_TRUE(right);
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  for (const auto& each : fs::directory_iterator(place())) {
    EXPECT_EQ(each.path().extension(), ".cbor") << each.path();
  }
}

TEST(DefaultCompileCacheFolder, FollowsTheUsersWishes) {
  const char* const was_cache = std::getenv("XDG_CACHE_HOME");
  const std::string cache = was_cache ? was_cache : "";
  ::setenv("XDG_CACHE_HOME", "/somewhere", 1);
  EXPECT_EQ(default_compile_cache_folder(), "/somewhere/evoke/compile");
  // The standard says that relative ones are to be ignored.
  ::setenv("XDG_CACHE_HOME", "here", 1);
  EXPECT_EQ(default_compile_cache_folder().find("here"), std::string::npos);
  if (was_cache) {
    ::setenv("XDG_CACHE_HOME", cache.c_str(), 1);
  } else {
    ::unsetenv("XDG_CACHE_HOME");
  }
}

}  // namespace
}  // namespace evoke::judge
