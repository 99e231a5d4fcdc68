// The cuda device on a real GPU: compiled here with NVRTC, loaded, run, timed.
// Skipped, with the reason, where no GPU or no NVRTC is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "evoke/base/clock.h"
#include "evoke/devices/cuda/session.h"
#include "evoke/devices/registry.h"
#include "tests/devices/attention_call.h"
#include "tests/devices/cuda/cuda_kernels.h"

namespace evoke::cuda {
namespace {

using evoke::testing::attention_signature;
using evoke::testing::AttentionCall;
using evoke::testing::CallShape;
using evoke::testing::kScaleBody;
using evoke::testing::parse_cuda;
using evoke::testing::scale_file;
using evoke::testing::scale_shape;
using evoke::testing::scale_signature;
using evoke::testing::Scratch;
using evoke::testing::shared_nvrtc;
using ::testing::HasSubstr;

struct Opened {
  std::string why_not;
  Device device;
};

// One for the whole program, as in a runner.
Opened& opened() {
  static auto* const shared = [] {
    auto* made = new Opened;
    DeviceOptions options;
    options.with_compiler = true;
    options.with_session = true;
    auto device = open_device("cuda", options);
    if (device) {
      made->device = std::move(*device);
    } else {
      made->why_not = device.error().message;
    }
    return made;
  }();
  return *shared;
}

class GpuTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!opened().why_not.empty()) {
      GTEST_SKIP() << "no GPU to try: " << opened().why_not;
    }
  }
  static DeviceSession& session() { return *opened().device.session; }
  static const DeviceLimits& limits() { return opened().device.info.limits; }

  static ProgramId load(const KernelSource& kernel,
                        const ProblemSignature& signature,
                        const LaunchPlan& plan) {
    const CompileReply reply =
        opened().device.compiler->compile(kernel, signature, unit_of(plan));
    EXPECT_EQ(reply.status, CompileReply::Status::ok) << reply.diagnostics;
    auto program = session().load(reply.artifact);
    EXPECT_TRUE(program) << (program ? "" : program.error().message);
    return program.value_or(0);
  }
};

// x and y of N numbers, in buffers with 4 KiB around.
struct ScaleCall {
  static constexpr std::size_t kAround = 4096;

  explicit ScaleCall(int64_t n)
      : numbers(n),
        inputs(2 * kAround + static_cast<std::size_t>(n) * 4, std::byte{0xff}),
        outputs(inputs) {
    for (int64_t i = 0; i < n; ++i) x()[i] = static_cast<float>(i % 1000);
  }
  float* x() { return reinterpret_cast<float*>(inputs.data() + kAround); }
  float* y() { return reinterpret_cast<float*>(outputs.data() + kAround); }
  std::vector<BoundTensor> tensors() {
    TensorLayout layout{"x", DType::float32, {numbers}, {1}, 0, numbers * 4};
    std::vector<BoundTensor> bound;
    bound.push_back(
        {inputs.data() + kAround, layout, {inputs, /*writable=*/false}});
    layout.name = "y";
    bound.push_back(
        {outputs.data() + kAround, layout, {outputs, /*writable=*/true}});
    return bound;
  }

  int64_t numbers;
  std::vector<std::byte> inputs;
  std::vector<std::byte> outputs;
};

class ScaleTest : public GpuTest {
 protected:
  // Compiles, binds and runs once.
  void start(const std::string& text, int64_t n) {
    const KernelSource kernel = parse_cuda(text);
    const auto plan =
        resolve(kernel, scale_signature(), scale_shape(n), limits());
    ASSERT_TRUE(plan) << plan.error().message;
    program = load(kernel, scale_signature(), *plan);
    memory = std::make_unique<ScaleCall>(n);
    auto prepared = session().prepare(program, *plan, memory->tensors());
    ASSERT_TRUE(prepared) << prepared.error().message;
    call = *prepared;
  }
  std::string go(int times = 1) {
    const std::vector<CallId> calls(static_cast<std::size_t>(times), call);
    auto staged = session().stage(calls, false);
    EXPECT_TRUE(staged) << (staged ? "" : staged.error().message);
    session().get_ready();
    auto ran = session().run(calls);
    EXPECT_TRUE(ran) << (ran ? "" : ran.error().message);
    device_ns = session().device_ns();
    auto damage = session().collect(calls);
    EXPECT_TRUE(damage) << (damage ? "" : damage.error().message);
    return damage.value_or("failed");
  }
  void TearDown() override {
    if (!memory) return;
    session().forget(memory->inputs);
    session().forget(memory->outputs);
    session().unload(program);
  }

  ProgramId program = 0;
  CallId call = 0;
  std::unique_ptr<ScaleCall> memory;
  std::optional<int64_t> device_ns;
};

TEST_F(GpuTest, SaysWhatItIs) {
  const DeviceInfo& info = opened().device.info;
  EXPECT_EQ(info.kind, "cuda");
  EXPECT_TRUE(info.own_memory);
  EXPECT_THAT(info.id, ::testing::AnyOf(::testing::StartsWith("GPU-"),
                                        ::testing::StartsWith("MIG-")));
  EXPECT_GT(info.limits.num_sms, 1);
  EXPECT_GT(info.limits.l2_bytes, 1 << 20);
  EXPECT_GT(info.limits.max_threadgroup_memory, 48 << 10);
  std::printf("%s, %s\n", info.name.c_str(), info.id.c_str());
}

TEST_F(GpuTest, IsFoundByIndexAndUuidAndByNothingElse) {
  DeviceOptions options;
  options.with_compiler = true;
  const std::string uuid = opened().device.info.id;
  for (const std::string& name :
       {std::string("cuda:0"), "cuda:" + uuid, "cuda:" + uuid.substr(0, 12)}) {
    const auto device = open_device(name, options);
    ASSERT_TRUE(device) << device.error().message;
  }
  const auto missing = open_device("cuda:99", options);
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().message, HasSubstr("no GPU '99'"));
}

TEST_F(ScaleTest, ComputesOnTheDeviceAndTellsItsTime) {
  start(scale_file(kScaleBody), 1 << 24);
  EXPECT_EQ(go(), "");
  for (int64_t i = 0; i < memory->numbers; i += 997) {
    ASSERT_EQ(memory->y()[i], 2.0F * memory->x()[i]) << i;
  }
  ASSERT_TRUE(device_ns);
  // 128 MiB in all: no memory is faster than 20 TB/s or slower than 20 GB/s.
  EXPECT_GT(*device_ns, 6'000);
  EXPECT_LT(*device_ns, 7'000'000);
}

TEST_F(ScaleTest, DeviceTimeGrowsWithTheBlockAndLiesWithinTheWalls) {
  start(scale_file(kScaleBody), 1 << 22);
  go(40);
  ASSERT_TRUE(device_ns);
  const int64_t few = *device_ns;
  const std::vector<CallId> calls(80, call);
  ASSERT_TRUE(session().stage(calls, false));
  session().get_ready();
  const int64_t begin = monotonic_ns();
  ASSERT_TRUE(session().run(calls));
  const int64_t wall = monotonic_ns() - begin;
  ASSERT_TRUE(session().device_ns());
  const auto many = static_cast<double>(*session().device_ns());
  EXPECT_GT(many, 1.5 * static_cast<double>(few));
  EXPECT_LT(many, 2.5 * static_cast<double>(few));
  EXPECT_LT(*session().device_ns(), wall);
  std::printf("40 calls %.2f us, 80 calls %.2f us each\n",
              static_cast<double>(few) / 40e3, many / 80e3);
}

TEST_F(ScaleTest, InputsComeAgainOnlyWhenTold) {
  start(scale_file(kScaleBody), 1000);
  memory->x()[7] = 500.0F;
  EXPECT_EQ(go(), "");
  EXPECT_EQ(memory->y()[7], 14.0F);
  const std::vector<CallId> calls{call};
  ASSERT_TRUE(session().stage(calls, /*inputs=*/true));
  ASSERT_TRUE(session().run(calls));
  ASSERT_TRUE(session().collect(calls));
  EXPECT_EQ(memory->y()[7], 1000.0F);
}

TEST_F(ScaleTest, WritesAroundTheOutputShow) {
  start(scale_file(std::string(kScaleBody) +
                   "\n  if (i == 0) y[N] = 3.0f, y[-1] = 4.0f;"),
        1000);
  EXPECT_EQ(go(), "");
  EXPECT_EQ(memory->y()[1000], 3.0F);
  EXPECT_EQ(memory->y()[-1], 4.0F);
}

TEST_F(ScaleTest, WritesToAnInputAreFound) {
  start(scale_file(std::string(kScaleBody) +
                   "\n  if (i == 5) const_cast<float*>(x)[11] = 1.5f;"),
        1000);
  EXPECT_EQ(go(), "changed its input 'x'");
}

TEST_F(ScaleTest, NothingLastsFromCallToCall) {
  // Counts in memory that belongs to no tensor, and in shared memory.
  start(scale_file("  const int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
                   "  const float seen = y[N + 64];\n"
                   "  const float shared = "
                   "reinterpret_cast<float*>(threadgroup_memory)[100];\n"
                   "  __syncthreads();\n"
                   "  if (i == 0) y[0] = seen, y[1] = shared;\n"
                   "  if (i == 0) y[N + 64] = 8.0f;\n"
                   "  reinterpret_cast<volatile float*>"
                   "(threadgroup_memory)[100] = 8.0f;",
                   "dynamic_memory = 4096"),
        100);
  go();
  go();
  EXPECT_TRUE(std::isnan(memory->y()[0])) << memory->y()[0];
  EXPECT_TRUE(std::isnan(memory->y()[1])) << memory->y()[1];
}

TEST_F(ScaleTest, ManyThreadgroupsClustersAndSharedMemory) {
  start(scale_file("  __shared__ float part[128];\n"
                   "  part[threadIdx.x] = x[blockIdx.x * 128 + threadIdx.x];\n"
                   "  __syncthreads();\n"
                   "  float* big = "
                   "reinterpret_cast<float*>(threadgroup_memory);\n"
                   "  big[threadIdx.x + 40000] = part[127 - threadIdx.x];\n"
                   "  __syncthreads();\n"
                   "  unsigned size;\n"
                   "  asm(\"mov.u32 %0, %%cluster_nctaid.x;\" : "
                   "\"=r\"(size));\n"
                   "  y[blockIdx.x * 128 + threadIdx.x] = "
                   "big[40000 + 127 - threadIdx.x] * a * size;",
                   "cluster = [8]\ndynamic_memory = 200000\n"),
        128 * 800);
  EXPECT_EQ(go(), "");
  for (int64_t i = 0; i < memory->numbers; i += 37) {
    ASSERT_EQ(memory->y()[i], 16.0F * memory->x()[i]) << i;
  }
}

TEST_F(GpuTest, OverlappingLaunchesSeeWhatTheyWaitFor) {
  const KernelSource kernel = parse_cuda(
      "/*evoke\nproblem = \"scale\"\n[scratch]\n"
      "part = { type = \"float32\", shape = [\"N\"] }\n"
      "[[variant]]\nname = \"all\"\n[[variant.launch]]\n"
      "kernel = \"first\"\nreads = [\"x\"]\nwrites = [\"part\"]\n"
      "threadgroups = [\"ceil_div(N, 128)\"]\nthreads = [128]\n"
      "[[variant.launch]]\nkernel = \"second\"\nreads = [\"part\"]\n"
      "writes = [\"y\"]\nthreadgroups = [\"ceil_div(N, 128)\"]\n"
      "threads = [128]\npdl = true\nevoke*/\n"
      "KERNEL(first) {\n"
      "  asm volatile(\"griddepcontrol.launch_dependents;\");\n"
      "  const int i = blockIdx.x * 128 + threadIdx.x;\n"
      "  float v = 0;\n"
      "  for (int k = 0; k < 2000; ++k) v = v * 0.5f + x[i < N ? i : 0];\n"
      "  if (i < N) part[i] = x[i] + 0.0f * v;\n}\n"
      "KERNEL(second) {\n"
      "  asm volatile(\"griddepcontrol.wait;\" ::: \"memory\");\n"
      "  const int i = blockIdx.x * 128 + threadIdx.x;\n"
      "  if (i < N) y[i] = a * part[N - 1 - i];\n}\n");
  constexpr int64_t kN = 50'000;
  const auto plan =
      resolve(kernel, scale_signature(), scale_shape(kN), limits());
  ASSERT_TRUE(plan) << plan.error().message;
  const ProgramId program = load(kernel, scale_signature(), *plan);
  ScaleCall memory(kN);
  const Scratch scratch(*plan);
  auto tensors = memory.tensors();
  tensors.push_back(scratch.tensors().front());
  const auto call = session().prepare(program, *plan, tensors);
  ASSERT_TRUE(call) << call.error().message;
  const std::vector<CallId> calls(20, *call);
  ASSERT_TRUE(session().stage(calls, false));
  ASSERT_TRUE(session().run(calls));
  ASSERT_EQ(session().collect(calls).value_or("failed"), "");
  for (int64_t i = 0; i < kN; ++i) {
    ASSERT_EQ(memory.y()[i], 2.0F * memory.x()[kN - 1 - i]) << i;
  }
  for (const BoundTensor& tensor : tensors) {
    session().forget(tensor.buffer.bytes);
  }
  session().unload(program);
}

TEST_F(GpuTest, WhatDoesNotFitIsSaid) {
  const KernelSource kernel = parse_cuda(scale_file(kScaleBody));
  auto plan = resolve(kernel, scale_signature(), scale_shape(1000), limits());
  ASSERT_TRUE(plan);
  const ProgramId program = load(kernel, scale_signature(), *plan);
  ScaleCall memory(1000);
  plan->launches[0].cooperative = true;
  plan->launches[0].threadgroups = {1'000'000, 1, 1};
  const auto refused = session().prepare(program, *plan, memory.tensors());
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("fit on this GPU at a time"));
  EXPECT_FALSE(session().load(std::vector<std::byte>(100)));
  session().forget(memory.inputs);
  session().forget(memory.outputs);
  session().unload(program);
}

// In a process of its own: nothing works there afterwards.
using GpuDeathTest = ScaleTest;
TEST_F(GpuDeathTest, AnIllegalAddressEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        start(scale_file("  y[(1ll << 40) + threadIdx.x] = x[0];"), 1000);
        try {
          const std::vector<CallId> calls{call};
          (void)session().stage(calls, false);
          (void)session().run(calls);
        } catch (const DeviceFault& fault) {
          std::_Exit(static_cast<int>(fault.reason()));
        }
        std::_Exit(0);
      },
      ::testing::ExitedWithCode(static_cast<int>(ExitReason::illegal_address)),
      "");
}

// Every kernel of kernels/ at shapes that it takes, against a double
// reference. The gate is the real judge.
TEST_F(GpuTest, SeedsAreRight) {
  constexpr double kLimit = 2e-2;
  const std::string folder = std::getenv("EVOKE_KERNELS") != nullptr
                                 ? std::getenv("EVOKE_KERNELS")
                                 : EVOKE_KERNELS_FOLDER;
  if (!std::filesystem::exists(folder + "/attention/cuda")) {
    GTEST_SKIP() << "no kernels in " << folder << "; name it in EVOKE_KERNELS";
  }
  int checked = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(folder + "/attention/cuda")) {
    if (entry.path().extension() != ".cu") continue;
    const auto kernel = KernelSource::read(entry.path().string());
    ASSERT_TRUE(kernel) << kernel.error().message;
    for (const CallShape& shape :
         {CallShape{1, 16, 8, 1, 300, 128, false, false},
          CallShape{2, 16, 8, 1, 4097, 128, false, true},
          CallShape{1, 16, 8, 1, 16384, 128, false, false},
          CallShape{1, 16, 8, 64, 64, 128, true, false},
          CallShape{1, 16, 8, 513, 1025, 128, true, true}}) {
      SCOPED_TRACE(entry.path().filename().string() + " " + to_string(shape));
      const auto plan =
          resolve(*kernel, attention_signature(), to_shape(shape), limits());
      if (!plan) continue;
      const ProgramId program = load(*kernel, attention_signature(), *plan);
      AttentionCall attention(shape, 17);
      const Scratch scratch(*plan);
      auto tensors = attention.tensors();
      tensors.insert(tensors.end(), scratch.tensors().begin(),
                     scratch.tensors().end());
      const auto call = session().prepare(program, *plan, tensors);
      ASSERT_TRUE(call) << call.error().message;
      const std::vector<CallId> calls{*call, *call};
      ASSERT_TRUE(session().stage(calls, false));
      session().get_ready();
      const auto ran = session().run(calls);
      ASSERT_TRUE(ran) << ran.error().message;
      EXPECT_EQ(session().collect(calls).value_or("failed"), "");
      EXPECT_LE(attention.worst_error(shape.Lq > 100 ? 37 : 1), kLimit);
      if (const auto ns = session().device_ns()) {
        std::printf("%-24s %-40s %8.2f us\n", entry.path().filename().c_str(),
                    to_string(shape).c_str(),
                    static_cast<double>(*ns) / 2000.0);
      }
      for (const BoundTensor& tensor : tensors) {
        session().forget(tensor.buffer.bytes);
      }
      session().unload(program);
      ++checked;
    }
  }
  EXPECT_GT(checked, 0);
}

}  // namespace
}  // namespace evoke::cuda
