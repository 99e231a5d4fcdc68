// The session's logic against a GPU made of host memory; the real one is
// tried in gpu_test.cpp.
#include "evoke/devices/cuda/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

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
constexpr std::size_t kInputOffset = 256;   // of x in the inputs
constexpr std::size_t kOutputOffset = 512;  // of y in the workspace
constexpr std::size_t kScratchOffset = 4096;
constexpr std::size_t kGuard = 64;

// A buffer of inputs and a workspace, as a judge lends them.
struct Lent {
  std::vector<std::byte> inputs = std::vector<std::byte>(1024);
  std::vector<std::byte> workspace =
      std::vector<std::byte>(16384, std::byte{0xff});

  float* x() { return reinterpret_cast<float*>(&inputs[kInputOffset]); }
  float* y() { return reinterpret_cast<float*>(&workspace[kOutputOffset]); }
  int* tickets() { return reinterpret_cast<int*>(&workspace[kScratchOffset]); }
  std::vector<BoundTensor> tensors(const LaunchPlan& plan) {
    TensorLayout layout{"x", DType::float32, {kNumbers},
                        {1}, kGuard,         kNumbers * 4 + 2 * kGuard};
    std::vector<BoundTensor> bound;
    bound.push_back({&inputs[kInputOffset], layout, {inputs, false}});
    layout.name = "y";
    bound.push_back({&workspace[kOutputOffset], layout, {workspace, true}});
    std::size_t offset = kScratchOffset;
    for (const ResolvedScratch& scratch : plan.scratch) {
      layout = {scratch.name, scratch.type, scratch.shape, {1}, 0,
                scratch.bytes};
      bound.push_back({&workspace[offset], layout, {workspace, true}});
      offset += 1024;
    }
    return bound;
  }
};

class CudaSessionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    gpu.add_kernel("scale", [this](const FakeLaunch& launch) {
      const auto* const x =
          reinterpret_cast<const float*>(launch.parameter<DevicePointer>(0));
      auto* const y =
          reinterpret_cast<float*>(launch.parameter<DevicePointer>(3));
      const std::size_t last = last_tensor ? 3 : 0;
      const int n = launch.parameter<int>(6 + last);
      const auto a = launch.parameter<float>(7 + last);
      for (int i = 0; i < n; ++i) y[i] = a * x[i];
      if (also) also(launch);
    });
    auto opened = CudaSession::open(gpu.api(), gpu.gpu());
    ASSERT_TRUE(opened) << opened.error().message;
    session = std::move(*opened);
    auto loaded = session->load(fake_cubin({"scale"}));
    ASSERT_TRUE(loaded) << loaded.error().message;
    program = *loaded;
    for (int i = 0; i < kNumbers; ++i) {
      lent.x()[i] = static_cast<float>(i);
    }
  }
  void TearDown() override {
    session.reset();
    EXPECT_EQ(gpu.allocated_bytes, 0U);
  }

  LaunchPlan plan_of(const std::string& text) {
    auto plan = resolve(parse_cuda(text), scale_signature(),
                        scale_shape(kNumbers), gpu.gpu().limits);
    if (!plan) throw std::runtime_error(plan.error().message);
    return *plan;
  }
  CallId prepare(const LaunchPlan& plan) {
    auto call = session->prepare(program, plan, lent.tensors(plan));
    EXPECT_TRUE(call) << call.error().message;
    return call.value_or(0);
  }
  std::string go(CallId call) {
    const std::vector<CallId> calls{call};
    EXPECT_TRUE(session->stage(calls, false));
    session->get_ready();
    EXPECT_TRUE(session->run(calls));
    auto damage = session->collect(calls);
    EXPECT_TRUE(damage);
    return damage.value_or("failed");
  }

  static constexpr const char* kBody = "";
  FakeGpu gpu;
  Lent lent;
  bool last_tensor = false;  // there is one scratch tensor behind y
  std::function<void(const FakeLaunch&)> also;
  std::unique_ptr<CudaSession> session;
  ProgramId program = 0;
};

TEST_F(CudaSessionTest, RunsOnMirrorsAndBringsTheAnswerBack) {
  const LaunchPlan plan = plan_of(scale_file(""));
  const CallId call = prepare(plan);
  EXPECT_EQ(go(call), "");
  EXPECT_EQ(lent.y()[3], 6.0F);
  EXPECT_EQ(lent.y()[kNumbers - 1], 78.0F);
  // Guards came along, and were never touched.
  EXPECT_EQ(lent.workspace[kOutputOffset - 1], std::byte{0xff});
  // One mirror per buffer, beside evoke's own memory.
  EXPECT_TRUE(session->device_ns());
  EXPECT_EQ(*session->device_ns(), 250'000);
}

TEST_F(CudaSessionTest, TheBlockIsQueuedBehindTheGateBetweenEvents) {
  const CallId call = prepare(plan_of(scale_file("")));
  const std::vector<CallId> calls{call, call, call};
  ASSERT_TRUE(session->stage(calls, false));
  gpu.ran.clear();
  ASSERT_TRUE(session->run(calls));
  EXPECT_THAT(gpu.ran,
              ElementsAre("evoke_hold", "event", "evoke_run_scale",
                          "evoke_run_scale", "evoke_run_scale", "event"));
}

TEST_F(CudaSessionTest, ATimeInWhichTheHostTookPartIsNotTold) {
  const CallId call = prepare(plan_of(scale_file("")));
  gpu.gate_late = true;
  go(call);
  EXPECT_FALSE(session->device_ns());
}

TEST_F(CudaSessionTest, InputsAreCopiedOncePerBufferUntilToldOtherwise) {
  const LaunchPlan plan = plan_of(scale_file(""));
  const CallId call = prepare(plan);
  const std::size_t before = gpu.memory.size();
  const CallId again = prepare(plan);
  EXPECT_EQ(gpu.memory.size(), before);
  lent.x()[3] = 100.0F;
  go(call);
  EXPECT_EQ(lent.y()[3], 6.0F);
  ASSERT_TRUE(session->stage(std::vector<CallId>{call}, true));
  ASSERT_TRUE(session->run(std::vector<CallId>{call}));
  EXPECT_EQ(session->collect(std::vector<CallId>{call}).value_or("x"), "");
  EXPECT_EQ(lent.y()[3], 200.0F);
  // They stay when no call holds them, and go with their buffer.
  session->release(call);
  session->release(again);
  lent.x()[3] = 7.0F;
  go(prepare(plan));
  EXPECT_EQ(lent.y()[3], 200.0F);
  session->forget(lent.inputs);
  go(prepare(plan));
  EXPECT_EQ(lent.y()[3], 14.0F);
}

TEST_F(CudaSessionTest, NoCallFindsWhatAnEarlierOneLeft) {
  const CallId call = prepare(plan_of(scale_file("")));
  std::byte left{};
  also = [&](const FakeLaunch& launch) {
    // Far from every tensor.
    auto* const y =
        reinterpret_cast<std::byte*>(launch.parameter<DevicePointer>(3));
    left = y[8000];
    y[8000] = std::byte{0x42};
  };
  go(call);
  go(call);
  EXPECT_EQ(left, std::byte{0xff});
}

TEST_F(CudaSessionTest, GuardBandsThatWereWrittenShowInTheHostsMemory) {
  const CallId call = prepare(plan_of(scale_file("")));
  also = [&](const FakeLaunch& launch) {
    auto* const y =
        reinterpret_cast<float*>(launch.parameter<DevicePointer>(3));
    y[kNumbers] = 1.0F;
  };
  go(call);
  EXPECT_EQ(lent.y()[kNumbers], 1.0F);
}

TEST_F(CudaSessionTest, AChangedInputIsNamed) {
  const CallId call = prepare(plan_of(scale_file("")));
  also = [&](const FakeLaunch& launch) {
    auto* const x =
        reinterpret_cast<float*>(launch.parameter<DevicePointer>(0));
    x[5] = 0.0F;
  };
  EXPECT_EQ(go(call), "changed its input 'x'");
  EXPECT_EQ(lent.x()[5], 5.0F);
}

TEST_F(CudaSessionTest, DigestsTellAnswersApartWhereTheyAre) {
  const CallId call = prepare(plan_of(scale_file("")));
  float guard = 0;
  also = [&](const FakeLaunch& launch) {
    auto* const y =
        reinterpret_cast<float*>(launch.parameter<DevicePointer>(3));
    if (guard != 0) y[kNumbers] = guard;
  };
  const auto digest = [&] {
    const std::vector<CallId> calls{call};
    EXPECT_TRUE(session->stage(calls, true));
    EXPECT_TRUE(session->run(calls));
    const auto digests = session->digests(calls);
    EXPECT_TRUE(digests);
    EXPECT_EQ(digests->damage, "");
    EXPECT_EQ(digests->digests.size(), 1U);
    return digests->digests.at(0);
  };
  const std::string first = digest();
  EXPECT_EQ(digest(), first);
  guard = 1.0F;
  EXPECT_NE(digest(), first);
  guard = 0;
  lent.x()[3] = 7.0F;
  EXPECT_NE(digest(), first);
  // Nothing came to the host.
  EXPECT_NE(lent.y()[3], 14.0F);
}

TEST_F(CudaSessionTest, DigestsNameAChangedInput) {
  const CallId call = prepare(plan_of(scale_file("")));
  also = [&](const FakeLaunch& launch) {
    auto* const x =
        reinterpret_cast<float*>(launch.parameter<DevicePointer>(0));
    x[5] = 0.0F;
  };
  const std::vector<CallId> calls{call};
  ASSERT_TRUE(session->stage(calls, false));
  ASSERT_TRUE(session->run(calls));
  const auto digests = session->digests(calls);
  ASSERT_TRUE(digests);
  EXPECT_EQ(digests->damage, "changed its input 'x'");
}

TEST(Mirrors, RangesThatTouchOrOverlapAreOne) {
  EXPECT_EQ(joined({}), std::vector<Range>{});
  EXPECT_EQ(joined({{0, 8}, {8, 8}, {12, 2}, {20, 4}, {21, 10}}),
            (std::vector<Range>{{0, 16}, {20, 11}}));
}

std::string with_scratch(const std::string& scratch) {
  std::string text = scale_file("", "", "[scratch]\n" + scratch);
  const std::string writes = "writes = [\"y\"]";
  return text.replace(text.find(writes), writes.size(),
                      "writes = [\"y\", \"tickets\"]");
}

TEST_F(CudaSessionTest, SelfResetScratchLastsAndIsZeroedOnce) {
  last_tensor = true;
  const LaunchPlan plan = plan_of(with_scratch(
      "tickets = { type = \"int32\", shape = [4], init = \"zero\", "
      "self_reset = true }\n"));
  lent.tickets()[2] = 99;
  const CallId call = prepare(plan);
  EXPECT_EQ(lent.tickets()[2], 0);
  also = [&](const FakeLaunch& launch) {
    ++reinterpret_cast<int*>(launch.parameter<DevicePointer>(6))[2];
  };
  go(call);
  EXPECT_EQ(lent.tickets()[2], 1);
  go(call);
  EXPECT_EQ(lent.tickets()[2], 2);
}

TEST_F(CudaSessionTest, ZeroScratchIsFilledBeforeEveryCallOfABlock) {
  last_tensor = true;
  const LaunchPlan plan = plan_of(with_scratch(
      "tickets = { type = \"int32\", shape = [4], init = \"zero\" }\n"));
  const CallId call = prepare(plan);
  also = [&](const FakeLaunch& launch) {
    ++reinterpret_cast<int*>(launch.parameter<DevicePointer>(6))[2];
  };
  const std::vector<CallId> calls{call, call, call};
  ASSERT_TRUE(session->stage(calls, false));
  ASSERT_TRUE(session->run(calls));
  ASSERT_TRUE(session->collect(calls));
  EXPECT_EQ(lent.tickets()[2], 1);
}

TEST_F(CudaSessionTest, LaunchesCarryWhatThePlanSays) {
  const LaunchPlan plan =
      plan_of(scale_file("", "cluster = [1, 1, 1]\ndynamic_memory = 100000\n"));
  go(prepare(plan));
  ASSERT_EQ(gpu.launches.size(), 1U);
  EXPECT_EQ(gpu.launches[0].config.grid[0], 1U);
  EXPECT_EQ(gpu.launches[0].config.block[0], 128U);
  EXPECT_EQ(gpu.launches[0].config.shared_bytes, 100'000U);
  EXPECT_TRUE(gpu.launches[0].attributes.empty());
  EXPECT_EQ(gpu.functions.at("evoke_run_scale")
                ->attributes.at(FunctionAttribute::max_dynamic_shared_bytes),
            100'000);
}

TEST_F(CudaSessionTest, ClustersAndCooperationAreAttributes) {
  LaunchPlan plan = plan_of(scale_file(""));
  plan.launches[0].cluster = {2, 1, 1};
  plan.launches[0].threadgroups = {4, 1, 1};
  plan.launches[0].nonportable = true;
  plan.launches[0].cooperative = true;
  go(prepare(plan));
  ASSERT_EQ(gpu.launches.size(), 1U);
  const auto& attributes = gpu.launches[0].attributes;
  ASSERT_EQ(attributes.size(), 2U);
  EXPECT_EQ(attributes[0].id, LaunchAttributeId::cluster);
  EXPECT_EQ(attributes[0].value.cluster.x, 2U);
  EXPECT_EQ(attributes[1].id, LaunchAttributeId::cooperative);
  EXPECT_EQ(gpu.functions.at("evoke_run_scale")
                ->attributes.at(FunctionAttribute::nonportable_cluster),
            1);
  plan.launches[0].threadgroups = {266, 1, 1};
  const auto refused = session->prepare(program, plan, lent.tensors(plan));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("264 fit on this GPU"));
}

// The driver's answer takes longer than a launch.
TEST_F(CudaSessionTest, WhetherAClusterFitsIsAskedOncePerSize) {
  LaunchPlan plan = plan_of(scale_file(""));
  plan.launches[0].cluster = {2, 1, 1};
  plan.launches[0].threadgroups = {4, 1, 1};
  prepare(plan);
  prepare(plan);
  plan.launches[0].threadgroups = {8, 1, 1};
  prepare(plan);
  EXPECT_EQ(gpu.cluster_questions, 1);
  plan.launches[0].cluster = {4, 1, 1};
  prepare(plan);
  EXPECT_EQ(gpu.cluster_questions, 2);
  plan.launches[0].dynamic_memory_bytes = 1024;
  prepare(plan);
  EXPECT_EQ(gpu.cluster_questions, 3);
}

TEST_F(CudaSessionTest, AFirstLaunchNeverOverlaps) {
  LaunchPlan plan = plan_of(scale_file(""));
  plan.launches[0].pdl = true;
  const auto refused = session->prepare(program, plan, lent.tensors(plan));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("first launch"));
}

TEST_F(CudaSessionTest, AFaultOfAKernelEndsTheProcessAndNotTheCall) {
  const CallId call = prepare(plan_of(scale_file("")));
  const std::vector<CallId> calls{call};
  ASSERT_TRUE(session->stage(calls, false));
  gpu.errors["cuStreamSynchronize"] = kErrorIllegalAddress;
  try {
    (void)session->run(calls);
    FAIL() << "no fault";
  } catch (const DeviceFault& fault) {
    EXPECT_EQ(fault.reason(), ExitReason::illegal_address);
  }
}

TEST_F(CudaSessionTest, OrdinaryErrorsAreAnswers) {
  const LaunchPlan plan = plan_of(scale_file(""));
  gpu.errors["cuMemAlloc_v2"] = 2;
  const auto full = session->prepare(program, plan, lent.tensors(plan));
  ASSERT_FALSE(full);
  EXPECT_THAT(full.error().message, HasSubstr("no room for a buffer"));
  EXPECT_THAT(full.error().message, HasSubstr("5 of 9 MiB are free"));
  const CallId call = prepare(plan);
  gpu.errors["cuGraphInstantiateWithFlags"] = 1;
  EXPECT_FALSE(session->run(std::vector<CallId>{call}));
  EXPECT_TRUE(session->run(std::vector<CallId>{call}));
  EXPECT_FALSE(session->run(std::vector<CallId>{call + 7}));
  EXPECT_FALSE(session->load(fake_cubin({}).empty()
                                 ? std::vector<std::byte>(3)
                                 : std::vector<std::byte>(40)));
}

TEST_F(CudaSessionTest, AForgottenBufferTakesItsCallsAlong) {
  const CallId call = prepare(plan_of(scale_file("")));
  const std::size_t before = gpu.memory.size();
  session->forget(lent.workspace);
  EXPECT_EQ(gpu.memory.size(), before - 1);
  EXPECT_FALSE(session->run(std::vector<CallId>{call}));
}

TEST_F(CudaSessionTest, TensorsMustLieInTheirBuffer) {
  const LaunchPlan plan = plan_of(scale_file(""));
  auto tensors = lent.tensors(plan);
  tensors[1].layout.allocation_bytes = 1 << 20;
  const auto refused = session->prepare(program, plan, tensors);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("tensor y: outside"));
}

}  // namespace
}  // namespace evoke::cuda
