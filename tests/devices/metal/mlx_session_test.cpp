#include "evoke/devices/metal/mlx_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "evoke/devices/metal/artifact.h"
#include "metal_kernels.h"
#include "recording_backend.h"

namespace evoke::metal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Recording;

class MlxSessionTest : public ::testing::Test {
 protected:
  MlxSessionTest()
      : session_(std::make_unique<testing::RecordingBackend>(recording_)) {
    kernel_ =
        KernelSource::parse(testing::kTwoLaunches, Dialect::metal, "k.metal")
            .value();
    const auto assembly = assemble(*kernel_, testing::metal_signature(),
                                   {0, testing::metal_constants()});
    program_ = session_.load(to_artifact(assembly.value())).value();
  }

  LaunchPlan plan(int64_t q_len, int64_t kv_len) const {
    Shape shape;
    shape.values = {{"B", 2},   {"Hq", 16},     {"Hkv", 8},   {"Lq", q_len},
                    {"D", 128}, {"Lk", kv_len}, {"causal", 1}};
    shape.scalars = {{"scale", 0.25f}};
    DeviceLimits limits;
    limits.max_threads = 1024;
    return resolve(*kernel_, testing::metal_signature(), shape, limits).value();
  }

  // Keys and values as slices of a cache of 64 rows.
  static std::vector<BoundTensor> tensors(const LaunchPlan& plan) {
    const int64_t q_len = plan.sizes.at("Lq");
    const int64_t kv_len = plan.sizes.at("Lk");
    const auto tensor = [](const char* name, std::vector<int64_t> shape,
                           int64_t capacity) {
      BoundTensor bound;
      bound.layout.name = name;
      bound.layout.type = DType::bfloat16;
      bound.layout.strides = {shape[1] * capacity * 128, capacity * 128, 128,
                              1};
      bound.layout.shape = std::move(shape);
      return bound;
    };
    std::vector<BoundTensor> tensors = {
        tensor("query", {2, 16, q_len, 128}, q_len),
        tensor("key", {2, 8, kv_len, 128}, 64),
        tensor("value", {2, 8, kv_len, 128}, 64),
        tensor("output", {2, 16, q_len, 128}, q_len)};
    for (const ResolvedScratch& scratch : plan.scratch) {
      BoundTensor bound;
      bound.layout.name = scratch.name;
      bound.layout.type = scratch.type;
      bound.layout.shape = scratch.shape;
      tensors.push_back(bound);
    }
    return tensors;
  }

  CallId prepared(const LaunchPlan& plan) {
    const auto call = session_.prepare(program_, plan, tensors(plan));
    EXPECT_TRUE(call) << call.error().message;
    return call.value();
  }

  Recording recording_;
  MlxSession session_;
  std::optional<KernelSource> kernel_;
  ProgramId program_ = 0;
};

TEST_F(MlxSessionTest, PassesEachKernelWhatItNames) {
  const CallId call = prepared(plan(1, 50));
  ASSERT_TRUE(session_.run({{call}}));
  ASSERT_EQ(recording_.launches.size(), 3u);
  EXPECT_EQ(recording_.launches[0].kernel, "evoke_chain_link");
  const auto& partial = recording_.launches[1];
  EXPECT_EQ(partial.kernel, "partial");
  EXPECT_THAT(partial.inputs, ElementsAre("next#0", "key", "[int64 64 4 1]",
                                          "int32 4", "float 0.250000"));
  EXPECT_EQ(partial.launch.output_shapes[0], (std::vector<int64_t>{2, 16, 4}));
  EXPECT_EQ(partial.launch.init_value, 0.0f);
  // A plan counts threadgroups, MLX threads.
  EXPECT_EQ(partial.launch.grid, (std::array<int64_t, 3>{512, 1, 1}));
  EXPECT_EQ(partial.launch.threadgroup, (std::array<int64_t, 3>{32, 1, 1}));
  const auto& finish = recording_.launches[2];
  EXPECT_THAT(finish.inputs, ElementsAre("sums#1", "value"));
  EXPECT_EQ(finish.launch.init_value, std::nullopt);
}

TEST_F(MlxSessionTest, KeepsTheStridesOfSlices) {
  prepared(plan(1, 50));
  EXPECT_EQ(recording_.uploads.at("key").strides[1], 64 * 128);
  EXPECT_EQ(recording_.uploads.at("key").shape[2], 50);
  EXPECT_FALSE(recording_.uploads.contains("output"));
}

TEST_F(MlxSessionTest, ChainsTheCallsOfARunAndEvaluatesOnce) {
  const CallId a = prepared(plan(1, 50));
  const CallId b = prepared(plan(1, 50));
  ASSERT_TRUE(session_.run({{a, b}}));
  // The second call's query waits for the first one's output.
  EXPECT_THAT(recording_.launches[0].inputs, ElementsAre("query", "query"));
  EXPECT_THAT(recording_.launches[3].inputs, ElementsAre("query", "output#2"));
  EXPECT_THAT(recording_.evaluated,
              ElementsAre(ElementsAre("output#2", "output#5")));
}

TEST_F(MlxSessionTest, BringsOutputsBack) {
  const CallId call = prepared(plan(3, 50));
  ASSERT_TRUE(session_.run({{call}}));
  ASSERT_TRUE(session_.collect({{call}}));
  EXPECT_THAT(recording_.downloads, ElementsAre("output#2 -> output"));
}

TEST_F(MlxSessionTest, ForgetsResultsWhenStaged) {
  const CallId call = prepared(plan(3, 50));
  const std::size_t before = recording_.alive.size();
  ASSERT_TRUE(session_.run({{call}}));
  ASSERT_TRUE(session_.stage({{call}}, /*inputs=*/true));
  ASSERT_TRUE(session_.collect({{call}}));
  EXPECT_TRUE(recording_.downloads.empty());
  EXPECT_EQ(recording_.alive.size(), before + 3);  // three small arrays stay
}

TEST_F(MlxSessionTest, ReleasesEveryArray) {
  const CallId call = prepared(plan(1, 50));
  ASSERT_TRUE(session_.run({{call}}));
  ASSERT_TRUE(session_.run({{call}}));
  session_.release(call);
  EXPECT_TRUE(recording_.alive.empty());
}

TEST_F(MlxSessionTest, RefusesScratchThatMlxWouldPassElsewhere) {
  LaunchPlan small = plan(1, 50);
  small.scratch[0].shape = {1, 7};
  const auto call = session_.prepare(program_, small, tensors(small));
  ASSERT_FALSE(call);
  EXPECT_THAT(call.error().message, HasSubstr("scratch 'sums' has 7 elements"));
}

TEST_F(MlxSessionTest, SaysWhatIsUnknown) {
  EXPECT_FALSE(session_.prepare(program_ + 1, plan(1, 50), {}));
  EXPECT_FALSE(session_.run({{99}}));
  EXPECT_FALSE(session_.load({}));
}

}  // namespace
}  // namespace evoke::metal
