// Every seed, at shapes and parameters that reach all of its paths, against a
// plain double reference. The limit is loose; the gate of the attention room
// is the real judge.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "attention_call.h"
#include "evoke/devices/cpu/cpu_features.h"
#include "evoke/devices/cpu/session.h"
#include "evoke/devices/embedded_kernels.h"
#include "test_kernels.h"

namespace evoke::cpu {
namespace {

using testing::attention_signature;
using testing::AttentionCall;
using testing::CallShape;
using testing::Scratch;

constexpr double kLimit = 2e-2;

struct Setting {
  std::string name;
  std::string kernel;  // part of the path
  std::vector<std::pair<std::string, int64_t>> parameters;
  std::string march;  // empty: this machine
};

std::ostream& operator<<(std::ostream& out, const Setting& setting) {
  return out << setting.name;
}

// One session for the program: threads are made once, as in a runner.
CpuSession& session() {
  static CpuSession* const shared = [] {
    ThreadPoolOptions options;
    options.num_threads = 2;
    return new CpuSession(options);
  }();
  return *shared;
}

DeviceLimits limits() {
  DeviceLimits limits;
  limits.num_sms = 2;
  limits.max_threadgroup_memory = 1 << 20;
  return limits;
}

class SeedTest : public ::testing::TestWithParam<Setting> {
 protected:
  void SetUp() override {
    const Setting& setting = GetParam();
    for (const EmbeddedKernel& embedded : embedded_kernels(Dialect::cpu)) {
      if (embedded.path.find(setting.kernel) == std::string::npos) continue;
      auto kernel = KernelSource::parse(embedded.text, Dialect::cpu,
                                        std::string(embedded.path));
      ASSERT_TRUE(kernel) << kernel.error().message;
      KernelPlan plan = kernel->plan();
      for (const auto& [name, value] : setting.parameters) {
        const auto parameter =
            std::find_if(plan.parameters.begin(), plan.parameters.end(),
                         [&, n = name](const auto& p) { return p.name == n; });
        ASSERT_NE(parameter, plan.parameters.end()) << name;
        parameter->value = value;
        for (Variant& variant : plan.variants) {
          const auto own = variant.parameters.find(name);
          if (own != variant.parameters.end()) own->second = value;
        }
      }
      auto changed = kernel->with_plan(plan);
      ASSERT_TRUE(changed) << changed.error().message;
      kernel_.emplace(std::move(*changed));
    }
    ASSERT_TRUE(kernel_);
    compiler_ = &testing::shared_compiler();
    if (!setting.march.empty()) {
      CompilerOptions options;
      options.extra_flags = {"-march=" + setting.march};
      auto compiler = CpuCompiler::open(options);
      ASSERT_TRUE(compiler);
      own_compiler_ = std::move(*compiler);
      compiler_ = own_compiler_.get();
    }
  }
  void TearDown() override {
    for (const auto& [unit, program] : programs_) session().unload(program);
  }

  // A unit is compiled once, as in a run.
  std::optional<ProgramId> program_of(const CompileUnit& unit) {
    const auto found = programs_.find(unit);
    if (found != programs_.end()) return found->second;
    const CompileReply reply =
        compiler_->compile(*kernel_, attention_signature(), unit);
    EXPECT_EQ(reply.status, CompileReply::Status::ok) << reply.diagnostics;
    EXPECT_EQ(reply.diagnostics, "");
    if (reply.status != CompileReply::Status::ok) return std::nullopt;
    const auto program = session().load(reply.artifact);
    EXPECT_TRUE(program) << program.error().message;
    if (!program) return std::nullopt;
    programs_[unit] = *program;
    return *program;
  }

  void expect_right(const CallShape& shape) {
    SCOPED_TRACE(testing::to_string(shape));
    const auto plan = resolve(*kernel_, attention_signature(),
                              testing::to_shape(shape), limits());
    ASSERT_TRUE(plan) << plan.error().message;
    const auto program = program_of(unit_of(*plan));
    ASSERT_TRUE(program);
    AttentionCall call(shape, static_cast<uint64_t>(shape.Lk));
    const Scratch scratch(*plan);
    auto tensors = call.tensors();
    tensors.insert(tensors.end(), scratch.tensors().begin(),
                   scratch.tensors().end());
    const auto id = session().prepare(*program, *plan, tensors);
    ASSERT_TRUE(id) << id.error().message;
    ASSERT_TRUE(session().run(std::vector{*id}));
    const double error = call.worst_error(shape.Lq > 64 ? 7 : 1);
    EXPECT_TRUE(error <= kLimit) << "worst error " << error;
    session().release(*id);
  }

  std::optional<KernelSource> kernel_;
  std::unique_ptr<CpuCompiler> own_compiler_;
  CpuCompiler* compiler_ = nullptr;
  std::map<CompileUnit, ProgramId> programs_;
};

TEST_P(SeedTest, DecodeAtEveryLength) {
  std::vector<int> lengths;
  for (int Lk = 1; Lk <= 130; Lk += Lk < 36 ? 1 : 7) lengths.push_back(Lk);
  lengths.insert(lengths.end(), {63, 64, 65, 127, 128, 129, 130, 1023, 1025});
  for (const int Lk : lengths) expect_right({1, 4, 2, 1, Lk, 128});
}

TEST_P(SeedTest, BatchesAndStrides) {
  expect_right({3, 4, 2, 1, 65, 128, false, true});
  expect_right({3, 4, 2, 1, 700, 128, true, true});
  expect_right({2, 4, 2, 33, 70, 128, true, true});
  expect_right({1, 16, 8, 1, 530, 128, false, true});
}

TEST_P(SeedTest, CausalWithMoreKeysThanQueries) {
  expect_right({1, 4, 2, 7, 130, 128, true, false});
  expect_right({1, 4, 2, 2, 600, 128, true, false});
  expect_right({1, 2, 1, 64, 64, 128, true, false});
  expect_right({1, 2, 1, 65, 200, 128, true, false});
  expect_right({1, 2, 1, 129, 129, 128, false, false});
}

TEST_P(SeedTest, OtherHeadsAndWidths) {
  expect_right({1, 4, 4, 1, 100, 64, false, false});
  expect_right({1, 8, 2, 20, 50, 64, true, false});
  expect_right({1, 3, 3, 1, 600, 64, false, false});
}

std::vector<Setting> settings() {
  std::vector<Setting> all{
      {"three_pass", "three_pass", {}, ""},
      {"three_pass_kept",
       "three_pass",
       {{"keep_scores", 1}, {"partial_sums", 16}, {"exp_degree", 4}},
       ""},
      {"decode", "decode_split_kv", {}, ""},
      {"decode_dots",
       "decode_split_kv",
       {{"bf16_dot", 1},
        {"bf16_values", 1},
        {"exp_degree", 3},
        {"passes", 2},
        {"prefetch_keys", 8},
        {"splits", 32},
        {"tile_kv", 16}},
       ""},
      {"decode_wide",
       "decode_split_kv",
       {{"exp_degree", 0},
        {"splits", 1},
        {"tile_kv", 1024},
        {"bf16_values", 1}},
       ""},
      {"prefill", "prefill_tiled", {}, ""},
      {"prefill_float",
       "prefill_tiled",
       {{"engine", 0}, {"rows_per_step", 8}, {"vectors_per_step", 2}},
       ""},
      {"prefill_tiles",
       "prefill_tiled",
       {{"engine", 2},
        {"tile_q", 64},
        {"tile_kv", 128},
        {"pack_heads", 1},
        {"longest_first", 1}},
       ""},
      {"prefill_small_tiles",
       "prefill_tiled",
       {{"engine", 2}, {"tile_q", 16}, {"tile_kv", 32}, {"exp_degree", 3}},
       ""},
      {"composite", "composite", {}, ""},
      {"composite_tuned",
       "composite",
       {{"engine", 2}, {"bf16_dot", 1}, {"splits", 4}, {"pack_heads", 1}},
       ""},
  };
#if defined(__x86_64__)
  // What machines without AVX-512 would run.
  all.push_back({"composite_plain", "composite", {}, "x86-64"});
  if (has_feature("avx2") && has_feature("fma")) {
    all.push_back({"composite_avx2", "composite", {}, "x86-64-v3"});
    all.push_back({"prefill_avx2",
                   "prefill_tiled",
                   {{"engine", 0}, {"pack_heads", 1}},
                   "x86-64-v3"});
  }
#endif
  return all;
}

INSTANTIATE_TEST_SUITE_P(Seeds, SeedTest, ::testing::ValuesIn(settings()),
                         [](const auto& each) { return each.param.name; });

}  // namespace
}  // namespace evoke::cpu
