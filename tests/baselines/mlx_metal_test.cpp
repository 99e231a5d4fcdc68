// MLX on a Mac as a baseline, up to the calls of MLX that it makes.
#include "evoke/baselines/mlx_metal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <memory>
#include <vector>

#include "tests/devices/metal/recording_backend.h"

namespace evoke::baselines {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::Recording;
using testing::RecordingBackend;
using ::testing::SizeIs;

constexpr int64_t kCapacity = 256;

// Nothing reads or writes it.
std::byte memory[2];

BoundTensor tensor(const char* name, int64_t heads, int64_t rows,
                   int64_t capacity) {
  BoundTensor bound;
  bound.data = memory;
  bound.layout.name = name;
  bound.layout.type = DType::bfloat16;
  bound.layout.shape = {1, heads, rows, 128};
  bound.layout.strides = {heads * capacity * 128, capacity * 128, 128, 1};
  return bound;
}

class MlxMetalTest : public ::testing::Test {
 protected:
  MlxMetalTest()
      : baseline_(make_mlx_metal_baseline(
            std::make_unique<RecordingBackend>(recording_))) {}

  CallId prepared(int64_t rows) {
    Shape shape;
    shape.values = {{"B", 1},    {"Hq", 16}, {"Hkv", 8},   {"Lq", rows},
                    {"Lk", 100}, {"D", 128}, {"causal", 1}};
    shape.scalars = {{"scale", 0.25f}};
    const auto call = baseline_->prepare(
        shape,
        {tensor("query", 16, rows, rows), tensor("key", 8, 100, kCapacity),
         tensor("value", 8, 100, kCapacity), tensor("output", 16, rows, rows)});
    EXPECT_TRUE(call) << call.error().message;
    return call.value();
  }

  Recording recording_;
  std::unique_ptr<Baseline> baseline_;
};

TEST_F(MlxMetalTest, TakesSlicesOfACacheAndWarmsUpOnce) {
  prepared(1);
  EXPECT_EQ(recording_.uploads.at("key").strides[1], kCapacity * 128);
  EXPECT_FALSE(recording_.uploads.contains("output"));
  EXPECT_THAT(recording_.evaluated, SizeIs(1));
  prepared(1);
  EXPECT_THAT(recording_.evaluated, SizeIs(1));
  prepared(7);
  EXPECT_THAT(recording_.evaluated, SizeIs(2));
}

// As a candidate's calls: each one's query waits for the answer before.
TEST_F(MlxMetalTest, ChainsTheCallsOfARunAndEvaluatesOnce) {
  const CallId a = prepared(1);
  const CallId b = prepared(1);
  recording_.launches.clear();
  recording_.attentions.clear();
  recording_.evaluated.clear();
  ASSERT_TRUE(baseline_->run({{a, b}}, false));
  ASSERT_THAT(recording_.launches, SizeIs(2));
  EXPECT_EQ(recording_.launches[0].kernel, "evoke_chain_link");
  EXPECT_THAT(recording_.launches[0].inputs, ElementsAre("query", "query"));
  EXPECT_THAT(recording_.launches[1].inputs,
              ElementsAre("query", "attention#2"));
  EXPECT_THAT(recording_.attentions,
              ElementsAre("next#0, key, value, 0.250000, causal",
                          "next#1, key, value, 0.250000, causal"));
  EXPECT_THAT(recording_.evaluated,
              ElementsAre(ElementsAre("attention#2", "attention#3")));
  EXPECT_THAT(recording_.downloads, IsEmpty());
}

TEST_F(MlxMetalTest, BringsAnswersBackAndLeavesNothing) {
  const CallId call = prepared(3);
  ASSERT_TRUE(baseline_->run({{call}}, true));
  EXPECT_THAT(recording_.downloads, ElementsAre("attention#2 -> output"));
  baseline_->release(call);
  EXPECT_THAT(recording_.alive, IsEmpty());
  EXPECT_FALSE(baseline_->run({{call}}, false));
}

}  // namespace
}  // namespace evoke::baselines
