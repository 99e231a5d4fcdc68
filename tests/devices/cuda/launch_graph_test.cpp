#include "evoke/devices/cuda/launch_graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/devices/cuda/cuda_kernels.h"
#include "tests/devices/cuda/fake_gpu.h"

namespace evoke::cuda {
namespace {

using evoke::testing::fake_cubin;
using evoke::testing::FakeGpu;
using evoke::testing::FakeLaunch;
using evoke::testing::parse_cuda;
using evoke::testing::scale_file;
using evoke::testing::scale_shape;
using evoke::testing::scale_signature;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int64_t kNumbers = 40;
constexpr std::size_t kTensors = 2;  // x and y, each three parameters
using Numbers = std::vector<float>;

DeviceTensor tensor_of(Numbers& numbers) {
  DeviceTensor tensor;
  tensor.data = reinterpret_cast<DevicePointer>(numbers.data());
  tensor.layout.shape = {kNumbers};
  tensor.layout.strides = {1};
  return tensor;
}

class LaunchGraphTest : public ::testing::Test {
 protected:
  void SetUp() override {
    gpu.add_kernel("scale", [](const FakeLaunch& launch) {
      const auto* const from =
          reinterpret_cast<const float*>(launch.parameter<DevicePointer>(0));
      auto* const to =
          reinterpret_cast<float*>(launch.parameter<DevicePointer>(3));
      for (int i = 0; i < kNumbers; ++i) to[i] += 2 * from[i];
    });
    auto loaded = Program::load(*api, gpu.gpu(), fake_cubin({"scale"}));
    ASSERT_TRUE(loaded) << loaded.error().message;
    program = std::move(*loaded);
    auto resolved = resolve(parse_cuda(scale_file("")), scale_signature(),
                            scale_shape(kNumbers), gpu.gpu().limits);
    ASSERT_TRUE(resolved) << resolved.error().message;
    plan = *resolved;
  }

  std::vector<DeviceTensor> tensors() { return {tensor_of(x), tensor_of(y)}; }
  LaunchGraph::Fill fill_of_y() {
    return {tensor_of(y).data, sizeof(float) * kNumbers};
  }
  // Every launch of the plan, `fills` first.
  Result<std::unique_ptr<LaunchGraph>> make(
      const std::vector<LaunchGraph::Fill>& fills = {}) {
    std::vector<BoundLaunch> launches;
    for (std::size_t i = 0; i < plan.launches.size(); ++i) {
      auto launch = program->bind(plan, i, tensors(), kTensors);
      if (!launch) return error_of(launch);
      launches.push_back(std::move(*launch));
    }
    return LaunchGraph::make(*api, fills, std::move(launches));
  }
  std::string key() {
    const auto graph = make();
    EXPECT_TRUE(graph);
    return graph ? (*graph)->key() : "";
  }
  void run(const LaunchGraph& graph) {
    GraphExec exec = nullptr;
    ASSERT_EQ(api->graph_instantiate(&exec, graph.graph(), 0), kSuccess);
    api->graph_launch(exec, nullptr);
    api->graph_exec_destroy(exec);
  }

  FakeGpu gpu;
  std::shared_ptr<const DriverApi> api = gpu.api();
  std::unique_ptr<Program> program;
  LaunchPlan plan;
  Numbers x = Numbers(kNumbers, 3);
  Numbers y = Numbers(kNumbers, 100);
};

TEST_F(LaunchGraphTest, FillsThenLaunchesOneAfterAnother) {
  plan.launches.push_back(plan.launches[0]);
  plan.launches[1].pdl = true;
  const auto graph = make({fill_of_y()});
  ASSERT_TRUE(graph) << graph.error().message;
  run(**graph);
  EXPECT_THAT(gpu.ran,
              ElementsAre("fill", "evoke_run_scale", "evoke_run_scale"));
  EXPECT_EQ(y, Numbers(kNumbers, 12));
  ASSERT_EQ(gpu.launches.size(), 2U);
  EXPECT_TRUE(gpu.launches[1].attributes.empty()) << "it would begin early";
  EXPECT_EQ(gpu.launches[0].config.block[0], 128U);
}

TEST_F(LaunchGraphTest, OtherTensorsTakeTheirPlace) {
  plan.tensor_maps.push_back({"x_map", {false, 0}, {{0}}, {8}, {1}, 0, 0});
  plan.launches[0].tensor_maps = {0};
  const auto graph = make();
  ASSERT_TRUE(graph) << graph.error().message;
  run(**graph);
  EXPECT_EQ(y[0], 106.0F);
  Numbers other_x(kNumbers, 5);
  Numbers other_y(kNumbers, 0);
  const std::vector<DeviceTensor> others = {tensor_of(other_x),
                                            tensor_of(other_y)};
  ASSERT_EQ((*graph)->set_tensors(others), kSuccess);
  run(**graph);
  EXPECT_EQ(other_y, Numbers(kNumbers, 10));
  EXPECT_EQ(y[0], 106.0F);
  // The tensor map lies behind the two tensors.
  const auto& map = gpu.launches[1].parameter<TensorMapWords>(6);
  EXPECT_EQ(map.words[0], others[0].data);
}

// An executable graph keeps its clusters when another is written into it.
TEST_F(LaunchGraphTest, KeysTellApartWhatAnUpdateCannotChange) {
  const std::string plain = key();
  plan.launches[0].threadgroups = {7, 1, 1};
  EXPECT_EQ(key(), plain) << "sizes can change";
  plan.launches[0].threadgroups = {8, 1, 1};
  plan.launches[0].cluster = {2, 1, 1};
  const std::string of_two = key();
  plan.launches[0].cluster = {4, 1, 1};
  const std::string of_four = key();
  plan.launches[0].cluster = {1, 1, 1};
  plan.launches[0].cooperative = true;
  const std::string cooperative = key();
  plan.launches[0].cooperative = false;
  plan.launches.push_back(plan.launches[0]);
  const std::string twice = key();
  std::vector<std::string> keys = {plain,   of_two,
                                   of_four, cooperative,
                                   twice,   (*make({fill_of_y()}))->key()};
  std::sort(keys.begin(), keys.end());
  EXPECT_EQ(std::unique(keys.begin(), keys.end()), keys.end());
  // Signs by which MLX takes its own keys apart.
  for (const std::string& each : keys) {
    EXPECT_EQ(each.find_first_of(":-"), std::string::npos) << each;
  }
}

TEST_F(LaunchGraphTest, ErrorsOfTheDriverAreAnswers) {
  gpu.errors["cuGraphAddKernelNode_v2"] = 1;
  const auto refused = make();
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("a fake error"));
  const auto graph = make();
  ASSERT_TRUE(graph);
  gpu.errors["cuGraphKernelNodeSetParams_v2"] = 1;
  EXPECT_EQ((*graph)->set_tensors(tensors()), 1);
}

}  // namespace
}  // namespace evoke::cuda
