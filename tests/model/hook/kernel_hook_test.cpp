#include "evoke/model/hook/kernel_hook.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <mlx/mlx.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "evoke/attention/problem.h"
#include "evoke/attention/shape.h"
#include "evoke/devices/embedded_kernels.h"
#include "evoke/devices/registry.h"
#include "tests/support/row_kernel.h"

namespace evoke::model {
namespace {

namespace mx = mlx::core;
using attention::AttentionShape;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

std::string plain_kernel(const std::string& when,
                         const std::string& scratch = "",
                         const std::string& writes = "\"output\"",
                         const std::string& after = "") {
  test::RowKernel kernel;
  kernel.when = when;
  kernel.scratch = scratch;
  kernel.writes = writes;
  kernel.after = after;
  return kernel.text();
}

KernelSource parse(const std::string& text) {
  auto kernel = KernelSource::parse(text, Dialect::cpu, "mine.cpp");
  if (!kernel) throw std::runtime_error(kernel.error().message);
  return std::move(*kernel);
}

KernelSource seed(const std::string& name) {
  for (const EmbeddedKernel& each : embedded_kernels(Dialect::cpu)) {
    if (each.path.find(name) == std::string::npos) continue;
    return parse(std::string(each.text));
  }
  throw std::runtime_error("no seed " + name);
}

const ProblemSignature& signature() {
  static const std::unique_ptr<Problem> problem = make_attention_problem();
  return problem->signature();
}

Compiler& compiler() {
  static const Device device = [] {
    DeviceOptions options;
    options.with_compiler = true;
    auto opened = open_device("cpu", options);
    if (!opened) throw std::runtime_error(opened.error().message);
    return std::move(*opened);
  }();
  return *device.compiler;
}

// What the gate would have let through for these shapes.
VerifiedKernel as_if_verified(const KernelSource& kernel,
                              const DeviceInfo& device,
                              const std::vector<AttentionShape>& shapes) {
  VerifiedKernel verified;
  verified.kernel_hash = kernel.hash();
  verified.device = device.kind;
  verified.limits = device.limits;
  for (const AttentionShape& shape : shapes) {
    const auto plan =
        resolve(kernel, signature(), to_shape(shape), device.limits);
    if (!plan) throw std::runtime_error(plan.error().message);
    if (verified.find(unit_of(*plan)) != nullptr) continue;
    auto compiled = compiler().compile(kernel, signature(), unit_of(*plan));
    if (compiled.status != CompileReply::Status::ok) {
      throw std::runtime_error(compiled.diagnostics);
    }
    verified.units.push_back({unit_of(*plan), std::move(compiled.artifact)});
  }
  return verified;
}

AttentionShape sizes(int64_t Lq, int64_t Lk, bool causal, int64_t B = 1) {
  return {B, 4, 2, Lq, Lk, 64, causal};
}

mx::array random(const mx::Shape& shape, mx::Dtype type = mx::bfloat16) {
  return mx::astype(mx::random::normal(shape), type);
}

struct Call {
  mx::array query;
  mx::array key;
  mx::array value;
  bool causal;
};

Call make_call(const AttentionShape& s, mx::Dtype type = mx::bfloat16) {
  const auto at = [](int64_t each) { return static_cast<int>(each); };
  const mx::Shape rows = {at(s.B), at(s.Hkv), at(s.Lk), at(s.D)};
  return {random({at(s.B), at(s.Hq), at(s.Lq), at(s.D)}, type),
          random(rows, type), random(rows, type), s.causal};
}

mx::array as_float(const mx::array& x) { return mx::astype(x, mx::float32); }

class KernelHookTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { mx::set_default_device(mx::Device::cpu); }

  // A hook whose units are those of `judged`.
  void open(const KernelSource& kernel,
            const std::vector<AttentionShape>& judged) {
    auto launcher = make_cpu_launcher(2);
    ASSERT_TRUE(launcher) << launcher.error().message;
    const auto verified = as_if_verified(kernel, (*launcher)->device(), judged);
    auto hook = KernelHook::open(kernel, verified, signature(),
                                 std::move(*launcher), fast_attention());
    ASSERT_TRUE(hook) << hook.error().message;
    hook_ = std::move(*hook);
    op_ = hook_->op();
  }

  mx::array run(const Call& call) {
    return op_(call.query, call.key, call.value, 0.125f, call.causal);
  }
  // Against MLX in float32.
  static float error_of(const mx::array& result, const Call& call) {
    const mx::array right = mx::fast::scaled_dot_product_attention(
        as_float(call.query), as_float(call.key), as_float(call.value), 0.125f,
        call.causal ? "causal" : "");
    return mx::max(mx::abs(as_float(result) - right)).item<float>();
  }
  void expect_right(const Call& call) {
    const mx::array result = run(call);
    EXPECT_EQ(result.shape(), call.query.shape());
    EXPECT_EQ(result.dtype(), call.query.dtype());
    EXPECT_LT(error_of(result, call), 0.02f);
  }

  std::unique_ptr<KernelHook> hook_;
  AttentionOp op_;
};

TEST_F(KernelHookTest, ComputesWhatMlxComputes) {
  open(seed("composite"),
       {sizes(1, 600, false), sizes(1, 30, false), sizes(40, 90, true)});
  for (const int64_t keys : {1, 30, 511, 512, 600}) {
    expect_right(make_call(sizes(1, keys, false)));
    expect_right(make_call(sizes(1, keys, false, /*B=*/3)));
  }
  expect_right(make_call(sizes(40, 40, true)));
  expect_right(make_call(sizes(17, 90, true, /*B=*/2)));
  const Attestation attestation = hook_->attestation();
  EXPECT_THAT(attestation.dispatches,
              UnorderedElementsAre(Pair("decode-split", 4), Pair("decode", 6),
                                   Pair("prefill", 2)));
  EXPECT_EQ(attestation.decode.dispatched, 10);
  EXPECT_EQ(attestation.prompt.dispatched, 2);
  EXPECT_THAT(attestation.fallbacks, IsEmpty());
  EXPECT_EQ(attestation.copies, 0);
}

TEST_F(KernelHookTest, TakesSlicesOfACacheAsTheyAre) {
  open(seed("decode_split_kv"), {sizes(1, 300, false), sizes(1, 5, false)});
  mx::array key_cache = mx::zeros({1, 2, 512, 64}, mx::bfloat16);
  mx::array value_cache = key_cache;
  int length = 0;
  for (const int more : {130, 1, 1, 170}) {
    const mx::Shape start = {0, 0, length, 0};
    const mx::Shape stop = {1, 2, length + more, 64};
    key_cache =
        mx::slice_update(key_cache, random({1, 2, more, 64}), start, stop);
    value_cache =
        mx::slice_update(value_cache, random({1, 2, more, 64}), start, stop);
    length += more;
    const Call call{
        // As a projection's heads come: (B, L, H, D) seen as (B, H, L, D).
        mx::transpose(random({1, 1, 4, 64}), {0, 2, 1, 3}),
        mx::slice(key_cache, {0, 0, 0, 0}, {1, 2, length, 64}),
        mx::slice(value_cache, {0, 0, 0, 0}, {1, 2, length, 64}), false};
    expect_right(call);
  }
  const Attestation attestation = hook_->attestation();
  EXPECT_EQ(attestation.dispatches.at("split"), 4);
  EXPECT_EQ(attestation.copies, 0);
}

TEST_F(KernelHookTest, CopiesOnlyWhatKernelsNeedNotTake) {
  open(parse(plain_kernel("1")), {sizes(3, 7, false)});
  Call call = make_call(sizes(3, 7, false));
  // The last dimension is not the inner one; rows 65 elements apart.
  call.query = mx::swapaxes(random({1, 4, 64, 3}), 2, 3);
  call.key = mx::slice(random({1, 2, 7, 65}), {0, 0, 0, 0}, {1, 2, 7, 64});
  expect_right(call);
  EXPECT_EQ(hook_->attestation().copies, 2);
}

TEST_F(KernelHookTest, ServesAGraphOfManyCalls) {
  open(seed("decode_split_kv"), {sizes(1, 300, false)});
  Call call = make_call(sizes(1, 300, false));
  mx::array by_kernel = call.query;
  mx::array by_mlx = call.query;
  for (int i = 0; i < 30; ++i) {  // more than MLX queues at a time
    by_kernel = op_(by_kernel, call.key, call.value, 0.125f, false);
    by_mlx = fast_attention()(by_mlx, call.key, call.value, 0.125f, false);
  }
  EXPECT_EQ(hook_->attestation().decode.dispatched, 0) << "nothing ran yet";
  mx::eval(by_kernel);
  EXPECT_EQ(hook_->attestation().decode.dispatched, 30);
  EXPECT_LT(
      mx::max(mx::abs(as_float(by_kernel) - as_float(by_mlx))).item<float>(),
      0.02f);
}

TEST_F(KernelHookTest, OpOutlivesTheHook) {
  open(parse(plain_kernel("1")), {sizes(1, 7, false)});
  const Call call = make_call(sizes(1, 7, false));
  std::optional<mx::array> result = run(call);
  hook_.reset();
  op_ = {};
  EXPECT_LT(error_of(*result, call), 0.02f);
}

TEST_F(KernelHookTest, FallsBackVisibly) {
  open(parse(plain_kernel("Lq == 1 && Lk >= 8")), {sizes(1, 9, false)});
  expect_right(make_call(sizes(1, 9, false)));
  expect_right(make_call(sizes(1, 3, false)));
  expect_right(make_call(sizes(1, 5, false)));
  expect_right(make_call(sizes(6, 9, true)));
  const Attestation attestation = hook_->attestation();
  EXPECT_EQ(attestation.decode, (AttentionCounts{0, 1, 2}));
  EXPECT_EQ(attestation.prompt, (AttentionCounts{0, 0, 1}));
  EXPECT_THAT(
      attestation.fallbacks,
      UnorderedElementsAre(
          Attestation::Fallback{"B 1, heads 4:2, D 64, Lq 1, Lk 3..5",
                                "no variant takes it", 2},
          Attestation::Fallback{"B 1, heads 4:2, D 64, Lq 6, Lk 9, causal",
                                "no variant takes it", 1}));
}

TEST_F(KernelHookTest, RunsOnlyWhatWasJudged) {
  open(parse(plain_kernel("1")), {sizes(1, 9, false)});
  expect_right(make_call(sizes(3, 9, true)));
  const Attestation attestation = hook_->attestation();
  ASSERT_EQ(attestation.fallbacks.size(), 1U);
  EXPECT_THAT(attestation.fallbacks[0].reason, HasSubstr("was not judged"));
}

TEST_F(KernelHookTest, NamesATypeItCannotTake) {
  open(parse(plain_kernel("1")), {sizes(1, 9, false)});
  expect_right(make_call(sizes(1, 9, false), mx::float32));
  const Attestation attestation = hook_->attestation();
  ASSERT_EQ(attestation.fallbacks.size(), 1U);
  EXPECT_EQ(attestation.fallbacks[0].reason,
            "query is float32; the kernel takes bfloat16");
}

constexpr const char* kTickets =
    "[scratch]\n"
    "tickets = { type = \"int32\", shape = [\"Hq\"], init = \"zero\", "
    "self_reset = true }";

TEST_F(KernelHookTest, KeepsSelfResetScratchZero) {
  open(parse(plain_kernel("1", kTickets, "\"output\", \"tickets\"",
                          "  tickets[h] += 1;\n"
                          "  if (tickets[h] != 1) out[0] = 1000.0f;\n"
                          "  tickets[h] = 0;\n")),
       {sizes(1, 9, false)});
  for (int i = 0; i < 3; ++i) expect_right(make_call(sizes(1, 9, false)));
}

TEST_F(KernelHookTest, RefusesResultsOfSelfResetScratchLeftDirty) {
  open(parse(plain_kernel("1", kTickets, "\"output\", \"tickets\"",
                          "  tickets[h] = 7;\n")),
       {sizes(1, 9, false)});
  mx::array result = run(make_call(sizes(1, 9, false)));
  EXPECT_THROW(mx::eval(result), std::exception);
  EXPECT_EQ(hook_->attestation().decode.dispatched, 0);
}

TEST_F(KernelHookTest, ZeroesScratchBeforeEveryCall) {
  open(parse(plain_kernel(
           "1",
           "[scratch]\nmarks = { type = \"int32\", shape = [\"Hq\"], init = "
           "\"zero\" }",
           "\"output\", \"marks\"",
           "  if (marks[h] != 0) out[0] = 1000.0f;\n  marks[h] = 5;\n")),
       {sizes(1, 9, false)});
  for (int i = 0; i < 3; ++i) expect_right(make_call(sizes(1, 9, false)));
}

TEST_F(KernelHookTest, RefusesARecordOfAnotherText) {
  auto launcher = make_cpu_launcher(2);
  ASSERT_TRUE(launcher) << launcher.error().message;
  const KernelSource judged = parse(plain_kernel("1"));
  const KernelSource changed = parse(plain_kernel("Lq == 1"));
  auto verified = as_if_verified(judged, (*launcher)->device(), {});
  const auto hook = KernelHook::open(changed, verified, signature(),
                                     std::move(*launcher), fast_attention());
  ASSERT_FALSE(hook);
  EXPECT_THAT(hook.error().message, HasSubstr("the gate passed"));
}

TEST_F(KernelHookTest, RefusesARecordOfAnotherMachine) {
  auto launcher = make_cpu_launcher(2);
  ASSERT_TRUE(launcher) << launcher.error().message;
  const KernelSource kernel = parse(plain_kernel("1"));
  auto verified = as_if_verified(kernel, (*launcher)->device(), {});
  verified.limits.num_sms = 64;
  const auto hook = KernelHook::open(kernel, verified, signature(),
                                     std::move(*launcher), fast_attention());
  ASSERT_FALSE(hook);
  EXPECT_THAT(hook.error().message, HasSubstr("judge it here"));
}

TEST(MakeLauncher, RefusesDialectsThatCannotRunHere) {
  const auto launcher = make_launcher(Dialect::metal);
  ASSERT_FALSE(launcher);
  EXPECT_THAT(launcher.error().message, HasSubstr("metal dialect"));
}

TEST(MakeLauncher, SaysThatTheCudaDialectNeedsAGpu) {
  if (mx::default_device() == mx::Device::gpu) GTEST_SKIP() << "has a GPU";
  const auto launcher = make_launcher(Dialect::cuda);
  ASSERT_FALSE(launcher);
  EXPECT_EQ(launcher.error().kind, ErrorKind::absent);
  EXPECT_THAT(launcher.error().message, HasSubstr("mlx-cuda-13"));
}

// The module is there only where it was built, and this libmlx lacks what it
// asks for; either way the answer is a message.
TEST(MakeLauncher, SaysWhyTheCudaModuleDoesNotOpen) {
  if (mx::default_device() == mx::Device::gpu) GTEST_SKIP() << "has a GPU";
  const auto launcher = make_cuda_launcher();
  ASSERT_FALSE(launcher);
  EXPECT_EQ(launcher.error().kind, ErrorKind::absent);
  EXPECT_THAT(launcher.error().message, HasSubstr("mlx-cuda-13"));
}

}  // namespace
}  // namespace evoke::model
