#include "evoke/model/model_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <string>

#include "tests/model/tiny_model.h"
#include "tests/support/temporary_folder.h"

namespace evoke::model {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// A hub's cache with one model in it, as huggingface_hub lays it out.
class ModelFolder : public testing::Test {
 protected:
  void SetUp() override {
    ::unsetenv("HF_HUB_CACHE");
    ::setenv("HF_HOME", folder_.path().c_str(), 1);
    const fs::path repository =
        fs::path(folder_.path()) / "hub" / "models--Qwen--Qwen3-0.6B";
    fs::create_directories(repository / "refs");
    fs::create_directories(repository / "snapshots" / "0123abc");
    fs::create_directories(repository / "snapshots" / "4567def");
    test::write_text(repository / "refs" / "main", "0123abc");
    test::write_text(repository / "refs" / "old", "4567def\n");
    snapshots_ = repository / "snapshots";
  }
  void TearDown() override { ::unsetenv("HF_HOME"); }

  evoke::test::TemporaryFolder folder_;
  fs::path snapshots_;
};

TEST_F(ModelFolder, IsAFolderAsGiven) {
  EXPECT_EQ(find_model_folder(folder_.path()).value(), folder_.path());
}

TEST_F(ModelFolder, FindsHubNamesInTheCache) {
  EXPECT_EQ(find_model_folder("Qwen/Qwen3-0.6B").value(),
            snapshots_ / "0123abc");
  EXPECT_EQ(find_model_folder("Qwen/Qwen3-0.6B@old").value(),
            snapshots_ / "4567def");
  EXPECT_EQ(find_model_folder("Qwen/Qwen3-0.6B@4567def").value(),
            snapshots_ / "4567def");
  ::setenv("HF_HUB_CACHE", folder_.file("hub").c_str(), 1);
  ::setenv("HF_HOME", "/nowhere", 1);
  EXPECT_TRUE(find_model_folder("Qwen/Qwen3-0.6B"));
  ::unsetenv("HF_HUB_CACHE");
}

TEST_F(ModelFolder, SaysHowToGetWhatIsNotThere) {
  for (const char* name : {"Qwen/Qwen3-8B", "Qwen/Qwen3-0.6B@v2"}) {
    const auto found = find_model_folder(name);
    ASSERT_FALSE(found) << name;
    EXPECT_EQ(found.error().kind, ErrorKind::absent);
    EXPECT_THAT(found.error().message, HasSubstr("hf download Qwen/Qwen3-"));
    EXPECT_THAT(found.error().message, HasSubstr(folder_.path()));
  }
}

TEST_F(ModelFolder, RefusesWhatIsNoName) {
  for (const char* name : {"", "Qwen3-0.6B", "/no/such/folder", "../x/y",
                           "a/../b", "Qwen/Qwen3-0.6B@../../x", "a/b/c"}) {
    const auto found = find_model_folder(name);
    ASSERT_FALSE(found) << name;
    EXPECT_THAT(found.error().message, HasSubstr("no such folder")) << name;
  }
  test::write_text(folder_.file("model.safetensors"), "x");
  const auto file = find_model_folder(folder_.file("model.safetensors"));
  EXPECT_THAT(file.error().message, HasSubstr("is a file"));
}

}  // namespace
}  // namespace evoke::model
