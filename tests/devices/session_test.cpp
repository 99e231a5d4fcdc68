#include "evoke/devices/cpu/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "attention_call.h"
#include "test_kernels.h"

namespace evoke::cpu {
namespace {

using testing::attention_signature;
using testing::AttentionCall;
using testing::CallShape;
using ::testing::HasSubstr;
using testing::parse_kernel;
using testing::Scratch;
using testing::shared_compiler;
using testing::with_plan;

ThreadPoolOptions two_threads() {
  ThreadPoolOptions options;
  options.num_threads = 2;
  options.memory_bytes = 1 << 16;
  return options;
}

constexpr CallShape kShape{1, 2, 1, 3, 5, 32, false, false};

struct Compiled {
  LaunchPlan plan;
  std::vector<std::byte> artifact;
};

Compiled compile(const std::string& text) {
  const KernelSource kernel = parse_kernel(text);
  const auto signature = attention_signature();
  auto plan =
      resolve(kernel, signature, testing::to_shape(kShape), DeviceLimits{});
  EXPECT_TRUE(plan) << plan.error().message;
  CompileReply reply =
      shared_compiler().compile(kernel, signature, unit_of(*plan));
  EXPECT_EQ(reply.status, CompileReply::Status::ok) << reply.diagnostics;
  return {*plan, std::move(reply.artifact)};
}

std::vector<BoundTensor> joined(const AttentionCall& call,
                                const Scratch& scratch) {
  std::vector<BoundTensor> tensors = call.tensors();
  tensors.insert(tensors.end(), scratch.tensors().begin(),
                 scratch.tensors().end());
  return tensors;
}

// Each threadgroup writes one row: its position, the sizes, the strides.
constexpr const char* kWritesPositions = R"(
KERNEL(attend) {
  bfloat16* const row = output + threadgroup_position_in_grid.z *
      output_strides[0] + threadgroup_position_in_grid.y * output_strides[1] +
      threadgroup_position_in_grid.x * output_strides[2];
  for (int d = 0; d < D; ++d) row[d] = 0.0f;
  row[0] = static_cast<float>(threadgroup_position_in_grid.x);
  row[1] = static_cast<float>(threadgroup_position_in_grid.y);
  row[2] = static_cast<float>(B);
  row[3] = static_cast<float>(Lq);
  row[4] = static_cast<float>(Lk);
  row[5] = scale;
  row[6] = static_cast<float>(key_strides[1]);
  row[7] = static_cast<float>(query_shape[1]);
  row[8] = static_cast<float>(threadgroups_per_grid.x);
}
)";

TEST(Session, PassesWhatTheSignaturePromises) {
  const Compiled compiled = compile(with_plan(kWritesPositions));
  CpuSession session(two_threads());
  const auto program = session.load(compiled.artifact);
  ASSERT_TRUE(program) << program.error().message;
  const AttentionCall call(kShape, 1);
  const auto id = session.prepare(*program, compiled.plan, call.tensors());
  ASSERT_TRUE(id) << id.error().message;
  ASSERT_TRUE(session.run(std::vector{*id}));
  for (int h = 0; h < kShape.Hq; ++h) {
    for (int i = 0; i < kShape.Lq; ++i) {
      EXPECT_EQ(call.element(3, 0, h, i, 0), i);
      EXPECT_EQ(call.element(3, 0, h, i, 1), h);
      EXPECT_EQ(call.element(3, 0, h, i, 2), 1);
      EXPECT_EQ(call.element(3, 0, h, i, 3), 3);
      EXPECT_EQ(call.element(3, 0, h, i, 4), 5);
      EXPECT_NEAR(call.element(3, 0, h, i, 5), 1 / std::sqrt(32.0), 1e-3);
      EXPECT_EQ(call.element(3, 0, h, i, 6), 5 * 32);
      EXPECT_EQ(call.element(3, 0, h, i, 7), 2);
      EXPECT_EQ(call.element(3, 0, h, i, 8), 3);
    }
  }
}

// clang-format off
constexpr const char* kCounts = R"kernel(/*evoke
problem = "attention"
summary = "counts in scratch"
[scratch]
tickets = { type = "int32", shape = ["Hq"], init = "zero", self_reset = true }
zeroed = { type = "float32", shape = [40000], init = "zero" }
[[variant]]
name = "any"
when = "1"
[[variant.launch]]
kernel = "count"
reads = ["query"]
writes = ["tickets", "zeroed"]
threadgroups = ["Hq", 1, 1]
threads = [1, 1, 1]
[[variant.launch]]
kernel = "show"
reads = ["tickets", "zeroed"]
writes = ["output"]
threadgroups = ["Hq", 1, 1]
threads = [1, 1, 1]
evoke*/
KERNEL(count) {
  tickets[threadgroup_position_in_grid.x] += 1;
  if (threadgroup_position_in_grid.x == 0) {
    zeroed[0] += 1;
    zeroed[39999] += 2;
  }
}
KERNEL(show) {
  bfloat16* const row = output + threadgroup_position_in_grid.x *
      output_strides[1];
  for (int i = 0; i < Lq; ++i) {
    for (int d = 0; d < D; ++d) row[i * output_strides[2] + d] = 0.0f;
    row[i * output_strides[2]] =
        static_cast<float>(tickets[threadgroup_position_in_grid.x]);
    row[i * output_strides[2] + 1] = zeroed[0] + zeroed[39999];
  }
}
)kernel";
// clang-format on

TEST(Session, ZeroesScratchBeforeEachCallAndTicketsOnce) {
  const Compiled compiled = compile(kCounts);
  CpuSession session(two_threads());
  const auto program = session.load(compiled.artifact);
  ASSERT_TRUE(program);
  const AttentionCall call(kShape, 1);
  const Scratch scratch(compiled.plan);
  const auto id =
      session.prepare(*program, compiled.plan, joined(call, scratch));
  ASSERT_TRUE(id);
  ASSERT_TRUE(session.run(std::vector{*id, *id, *id}));
  EXPECT_EQ(call.element(3, 0, 1, 2, 0), 3);  // never reset by this kernel
  EXPECT_EQ(call.element(3, 0, 1, 2, 1), 3);  // 1 + 2, each time from zero
}

TEST(Session, LoadsAndUnloadsManyTimes) {
  const Compiled compiled = compile(with_plan(kWritesPositions));
  CpuSession session(two_threads());
  const AttentionCall call(kShape, 1);
  const auto open_files = [] {
    std::error_code error;
    int count = 0;
    for (const auto& each :
         std::filesystem::directory_iterator("/proc/self/fd", error)) {
      (void)each;
      ++count;
    }
    return count;
  };
  const int before = open_files();
  for (int i = 0; i < 200; ++i) {
    const auto program = session.load(compiled.artifact);
    ASSERT_TRUE(program);
    const auto id = session.prepare(*program, compiled.plan, call.tensors());
    ASSERT_TRUE(id);
    ASSERT_TRUE(session.run(std::vector{*id}));
    session.release(*id);
    session.unload(*program);
  }
  EXPECT_EQ(open_files(), before);
}

// Two programs with the same entry point, loaded in turn and side by side.
TEST(Session, ProgramsStayApart) {
  const auto constant = [](int value) {
    return compile(with_plan(
        "KERNEL(attend) { output[0] = " + std::to_string(value) + ".0f; }\n"));
  };
  const Compiled one = constant(1);
  const Compiled two = constant(2);
  CpuSession session(two_threads());
  const AttentionCall call(kShape, 1);
  const auto run = [&](ProgramId program, const LaunchPlan& plan) {
    const auto id = session.prepare(program, plan, call.tensors());
    EXPECT_TRUE(id);
    EXPECT_TRUE(session.run(std::vector{*id}));
    session.release(*id);
    return call.element(3, 0, 0, 0, 0);
  };
  const auto first = session.load(one.artifact);
  ASSERT_TRUE(first);
  EXPECT_EQ(run(*first, one.plan), 1);
  session.unload(*first);
  const auto second = session.load(two.artifact);
  ASSERT_TRUE(second);
  EXPECT_EQ(run(*second, two.plan), 2);
  const auto third = session.load(one.artifact);
  ASSERT_TRUE(third);
  EXPECT_EQ(run(*third, one.plan), 1);
  EXPECT_EQ(run(*second, two.plan), 2);
}

TEST(Session, RefusesWhatIsNotAKernel) {
  CpuSession session(two_threads());
  const std::string text = "not an object";
  EXPECT_FALSE(session.load(std::as_bytes(std::span(text))));
  const Compiled compiled = compile(with_plan(kWritesPositions));
  auto damaged = compiled.artifact;
  damaged.resize(damaged.size() / 2);
  EXPECT_FALSE(session.load(damaged));
}

TEST(Session, SaysWhatIsWrongWithACall) {
  const Compiled compiled = compile(with_plan(kWritesPositions));
  CpuSession session(two_threads());
  const auto program = session.load(compiled.artifact);
  ASSERT_TRUE(program);
  const AttentionCall call(kShape, 1);

  EXPECT_EQ(session.prepare(99, compiled.plan, call.tensors()).error().kind,
            ErrorKind::absent);
  LaunchPlan plan = compiled.plan;
  plan.launches[0].kernel = "other";
  EXPECT_THAT(session.prepare(*program, plan, call.tensors()).error().message,
              HasSubstr("no kernel 'other'"));
  plan = compiled.plan;
  plan.launches[0].dynamic_memory_bytes = 1 << 20;
  EXPECT_THAT(session.prepare(*program, plan, call.tensors()).error().message,
              HasSubstr("threadgroup memory"));
  auto tensors = call.tensors();
  tensors[1].data += 2;
  EXPECT_THAT(session.prepare(*program, compiled.plan, tensors).error().message,
              HasSubstr("tensor key: its base is not aligned"));
  tensors = call.tensors();
  tensors.pop_back();
  EXPECT_FALSE(session.prepare(*program, compiled.plan, tensors));
  EXPECT_EQ(session.run(std::vector<CallId>{42}).error().kind,
            ErrorKind::absent);
}

TEST(Session, ThreadgroupMemoryHoldsNaNAtEachRun) {
  std::string text = with_plan(R"(
KERNEL(attend) {
  float* const memory = reinterpret_cast<float*>(threadgroup_memory);
  int numbers = 0;
  for (int i = 0; i < 256; ++i) numbers += memory[i] == memory[i];
  for (int i = 0; i < 256; ++i) memory[i] = 1.0f;
  output[0] = static_cast<float>(numbers);
}
)");
  const std::size_t at = text.find("threadgroups = ");
  text.replace(at, text.find('\n', at) - at,
               "threadgroups = [1, 1, 1]\ndynamic_memory = 1024");
  const Compiled compiled = compile(text);
  ThreadPoolOptions options = two_threads();
  options.num_threads = 1;
  CpuSession session(options);
  const auto program = session.load(compiled.artifact);
  ASSERT_TRUE(program);
  const AttentionCall call(kShape, 1);
  const auto id = session.prepare(*program, compiled.plan, call.tensors());
  ASSERT_TRUE(id) << id.error().message;
  for (int run = 0; run < 3; ++run) {
    ASSERT_TRUE(session.run(std::vector{*id}));
    EXPECT_EQ(call.element(3, 0, 0, 0, 0), 0);
  }
  ASSERT_TRUE(session.run(std::vector{*id, *id}));
  EXPECT_EQ(call.element(3, 0, 0, 0, 0), 256);  // within one run it stays
}

}  // namespace
}  // namespace evoke::cpu
