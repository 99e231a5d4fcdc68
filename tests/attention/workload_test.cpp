#include "evoke/attention/workload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "evoke/attention/shape.h"

namespace evoke::attention {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::vector<std::string> names_of(const Workload& workload) {
  std::vector<std::string> names;
  for (const auto& each : workload.shapes) names.push_back(each.shape.name);
  return names;
}

std::string error_of_text(std::string_view text) {
  const auto workload = parse_workload(text, "w.toml");
  EXPECT_FALSE(workload) << text;
  return workload ? "" : workload.error().message;
}

TEST(Workload, QuickIsFourShapesOfQwen) {
  const auto workload = find_workload("quick");
  ASSERT_TRUE(workload);
  EXPECT_THAT(names_of(*workload),
              testing::ElementsAre("decode-256", "decode-1024", "decode-4096",
                                   "prefill-64"));
  const AttentionShape prefill = from_shape(workload->shapes[3].shape);
  EXPECT_TRUE(prefill.causal);
  EXPECT_EQ(prefill.Hq, 16);
  EXPECT_EQ(prefill.Hkv, 8);
  EXPECT_EQ(prefill.D, 128);
}

TEST(Workload, BuiltInShapesAreValidAndDistinct) {
  for (const std::string& name : workload_names()) {
    const auto workload = find_workload(name);
    ASSERT_TRUE(workload) << name;
    std::set<std::string> names;
    double weight = 0;
    for (const auto& each : workload->shapes) {
      EXPECT_TRUE(check(from_shape(each.shape)));
      EXPECT_TRUE(names.insert(each.shape.name).second) << each.shape.name;
      weight += each.weight;
    }
    if (name == "qwen3-0.6b") {
      EXPECT_NEAR(weight, 1.0, 1e-12);
    }
  }
}

TEST(Workload, AFileMayLeaveOutWhatIsUsual) {
  const auto workload = parse_workload(R"(
name = "mine"
[defaults]
Hq = 32
Hkv = 4
[[shape]]
Lk = 1000
weight = 2.5
[[shape]]
name = "chunk"
Lq = 7
Lk = 70
Hkv = 8
causal = false
)",
                                       "dir/w.toml");
  ASSERT_TRUE(workload) << workload.error().message;
  EXPECT_EQ(workload->name, "mine");
  ASSERT_EQ(workload->shapes.size(), 2U);
  EXPECT_EQ(workload->shapes[0].shape.name, "decode-1000-h32:4");
  EXPECT_EQ(workload->shapes[0].weight, 2.5);
  EXPECT_EQ(workload->shapes[1].shape.name, "chunk");
  const AttentionShape chunk = from_shape(workload->shapes[1].shape);
  EXPECT_EQ(chunk.Hkv, 8);
  EXPECT_FALSE(chunk.causal);
}

TEST(Workload, TheFileNameIsTheDefaultName) {
  const auto workload = parse_workload("[[shape]]\nLk = 3\n", "dir/w.toml");
  ASSERT_TRUE(workload);
  EXPECT_EQ(workload->name, "w");
}

TEST(Workload, ErrorsNameFileLineAndKey) {
  EXPECT_THAT(error_of_text("[[shape]]\nLk = 'x'\n"),
              StartsWith("w.toml:2: shape[0].Lk: "));
  EXPECT_THAT(error_of_text("[[shape]]\nLk = 5\n[[shape]]\nlk = 5\n"),
              StartsWith("w.toml:4: shape[1].lk: "));
  EXPECT_THAT(error_of_text("[[shape]]\nLk = 5\nHq = 3\n"),
              StartsWith("w.toml:1: shape[0]: Hq is 3, not a multiple"));
  EXPECT_THAT(error_of_text("[[shape]]\nLk = 5\nweight = 0.0\n"),
              StartsWith("w.toml:3: shape[0].weight: "));
  EXPECT_THAT(error_of_text("[[shape]]\nLk = 5\nweight = nan\n"),
              StartsWith("w.toml:3: shape[0].weight: "));
  EXPECT_THAT(error_of_text("[[shape]]\nLk = 0\n"),
              StartsWith("w.toml:2: shape[0].Lk: "));
  EXPECT_THAT(error_of_text("[[shape]]\nLk = 5\n[[shape]]\nLk = 5\n"),
              HasSubstr("a second shape is called 'decode-5'"));
  EXPECT_THAT(error_of_text("[defaults]\nHx = 5\n[[shape]]\nLk = 2\n"),
              StartsWith("w.toml:2: defaults.Hx: "));
  EXPECT_THAT(error_of_text(""), HasSubstr("add a [[shape]] table"));
  EXPECT_THAT(error_of_text("shape = 3"), StartsWith("w.toml:1: shape: "));
  EXPECT_THAT(error_of_text("[[shape"), StartsWith("w.toml:1: "));
}

TEST(Workload, AnUnknownNameIsAbsentAndListsTheKnown) {
  const auto workload = find_workload("quik");
  ASSERT_FALSE(workload);
  EXPECT_EQ(workload.error().kind, ErrorKind::absent);
  EXPECT_THAT(workload.error().message, HasSubstr("qwen3-0.6b-batched"));
  EXPECT_THAT(workload.error().message, HasSubstr("did you mean 'quick'"));
}

TEST(Workload, FilesAreFoundByPath) {
  const auto path =
      std::filesystem::temp_directory_path() / "evoke_workload_test.toml";
  std::ofstream(path) << "[[shape]]\nLk = 12\n";
  const auto workload = find_workload(path.string());
  std::filesystem::remove(path);
  ASSERT_TRUE(workload) << workload.error().message;
  EXPECT_EQ(workload->name, "evoke_workload_test");
}

}  // namespace
}  // namespace evoke::attention
