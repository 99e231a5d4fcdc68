#include "evoke/evaluation/judge/workbench.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "evoke/attention/problem.h"
#include "tests/core/example_kernel.h"
#include "tests/evaluation/judge/court.h"
#include "tests/evaluation/judge/kernels.h"
#include "tests/support/comes_true.h"
#include "tests/support/runner_path.h"

namespace evoke::judge {
namespace {

using testing::HasSubstr;
using testing::Not;

std::vector<Shape> one_shape() {
  return {test::small_workload().shapes[0].shape};
}

class WorkbenchTest : public ::testing::Test {
 protected:
  Workbench& bench() { return test::Court::shared().bench(); }
  KernelBuild plan(const std::string& text) {
    auto build = bench().plan(text, "kernel.cpp", one_shape());
    if (!build) throw std::runtime_error(build.error().message);
    return std::move(*build);
  }
  // Compiles and gives the refusal.
  std::optional<Workbench::Refusal> compile(KernelBuild& build) {
    return test::value_of(bench().compile(build, one_shape()));
  }
  const CompiledUnit& only_unit(const KernelBuild& build) {
    return *build.units().begin()->second;
  }
};

TEST_F(WorkbenchTest, CompilesWhatShapesNeed) {
  KernelBuild build = plan(test::honest_kernel("compiled once"));
  EXPECT_FALSE(compile(build));
  ASSERT_EQ(build.units().size(), 1U);
  EXPECT_FALSE(only_unit(build).compiled.artifact.empty());
  EXPECT_EQ(only_unit(build).code_hash.size(), 32U);
}

TEST_F(WorkbenchTest, CompilesEqualUnitsOnce) {
  test::KernelOptions options;
  options.plan = "[parameters]\nidle = { value = 1, choices = [1, 2] }\n";
  options.when = test::kSmall;
  const std::string text = test::make_kernel(options);
  KernelBuild first = plan(text);
  EXPECT_FALSE(compile(first));
  EXPECT_FALSE(only_unit(first).was_cached);
  KernelBuild same = plan(text);
  EXPECT_FALSE(compile(same));
  EXPECT_TRUE(only_unit(same).was_cached);
  KernelBuild stepped = plan(replaced(text, "value = 1", "value = 2"));
  EXPECT_FALSE(compile(stepped));
  EXPECT_TRUE(only_unit(stepped).was_cached);
  EXPECT_EQ(only_unit(stepped).code_hash, only_unit(first).code_hash);
}

TEST_F(WorkbenchTest, ManyThreadsCompileAUnitOnce) {
  const std::string text = test::honest_kernel("many threads", 1);
  std::vector<std::thread> threads;
  std::atomic<int> compiled{0};
  std::atomic<int> failed{0};
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      KernelBuild build = plan(text);
      const auto refusal = bench().compile(build, one_shape());
      if (!refusal || *refusal) ++failed;
      if (!only_unit(build).was_cached) ++compiled;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failed, 0);
  EXPECT_LE(compiled, 1);
}

TEST_F(WorkbenchTest, DiagnosticsNameTheKernelsLinesAndNoPaths) {
  test::KernelOptions options;
  options.before = "  undeclared(q);";
  const std::string text = test::make_kernel(options);
  const auto lines =
      std::count(text.begin(),
                 text.begin() + static_cast<long>(text.find("undeclared")),
                 '\n') +
      1;
  for (int i = 0; i < 2; ++i) {  // fresh, then from the cache
    KernelBuild build = plan(text);
    const auto refusal = compile(build);
    ASSERT_TRUE(refusal);
    EXPECT_EQ(refusal->kind, OutcomeKind::compile_failed);
    EXPECT_THAT(refusal->message, HasSubstr("undeclared"));
    EXPECT_THAT(refusal->message,
                HasSubstr("kernel.cpp:" + std::to_string(lines)));
    EXPECT_THAT(refusal->message, Not(HasSubstr("/tmp")));
    EXPECT_THAT(refusal->message, Not(HasSubstr("evoke-compile")));
    EXPECT_EQ(only_unit(build).was_cached, i == 1);
  }
}

// The same mistake on another line is another message.
TEST_F(WorkbenchTest, ARememberedFailureNamesTheRightLine) {
  test::KernelOptions options;
  options.before = "  undeclared_too(q);";
  std::string messages[2];
  for (std::string& message : messages) {
    KernelBuild build = plan(test::make_kernel(options));
    const auto refusal = compile(build);
    ASSERT_TRUE(refusal);
    message = refusal->message;
    options.header += "\n\n\n";
  }
  EXPECT_NE(messages[0], messages[1]);
}

TEST_F(WorkbenchTest, StateBetweenCallsIsRefused) {
  test::KernelOptions options;
  options.header = "static int calls = 0;\n";
  options.before = "  ++calls;";
  options.result = "acc[d] + 0 * calls";
  KernelBuild build = plan(test::make_kernel(options));
  const auto refusal = compile(build);
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->kind, OutcomeKind::rejected_plan);
  EXPECT_FALSE(refusal->message.empty());
}

TEST_F(WorkbenchTest, AShapeWithoutVariantIsRefusedBeforeCompiling) {
  KernelBuild build = plan(test::honest_kernel("no variant"));
  const auto shapes = test::small_workload({256, 4096});
  const auto refusal = test::value_of(
      bench().compile(build, {shapes.shapes[0].shape, shapes.shapes[1].shape}));
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->kind, OutcomeKind::rejected_plan);
  EXPECT_THAT(refusal->message, HasSubstr("4096"));
  EXPECT_TRUE(build.units().empty());
}

TEST_F(WorkbenchTest, CancelStopsAndResumeGoesOn) {
  bench().cancel();
  EXPECT_TRUE(bench().stopping());
  KernelBuild build = plan(test::honest_kernel("cancelled", 2));
  const auto refusal = bench().compile(build, one_shape());
  ASSERT_FALSE(refusal);
  EXPECT_EQ(refusal.error().kind, RunnerFault::Kind::cancelled);
  EXPECT_FALSE(bench().candidate_runner());
  bench().resume();
  // At once, with no second attempt: nothing that was killed is used again.
  EXPECT_TRUE(bench().compile(build, one_shape()));
  EXPECT_TRUE(bench().candidate_runner());
}

TEST(GateRunners, ThatLastAreNotReplacedByFurtherSpares) {
  WorkbenchOptions options;
  options.gates_share_runners = true;
  options.spare_runners = 6;
  test::Court court(options);
  Workbench& bench = court.bench();
  const int compilers = 1;
  const auto num_started = [&] { return bench.pool().num_started(); };
  ASSERT_TRUE(test::comes_true([&] { return num_started() == compilers + 6; }));
  std::vector<GateRunner> gates;
  for (int i = 0; i < 3; ++i) {
    gates.push_back(test::value_of(bench.gate_runner()));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(num_started(), compilers + 6);
  // The last of these leaves two of four.
  const auto confirmed = test::value_of(bench.candidate_runner());
  EXPECT_TRUE(test::comes_true([&] { return num_started() == compilers + 8; }));
  const pid_t pid = gates.back().runner->pid();
  bench.give_back(std::move(gates.back()));
  EXPECT_EQ(test::value_of(bench.gate_runner()).runner->pid(), pid);
}

class WorkbenchOpenTest : public ::testing::Test {
 protected:
  WorkbenchOptions options() {
    WorkbenchOptions options;
    options.runner_path = test::runner_path();
    options.compile_cache.folder = folder_.file("compile");
    options.lock_folder = folder_.file("lock");
    return options;
  }
  std::string error(const WorkbenchOptions& options) {
    auto bench = Workbench::open(*problem_, options);
    return bench ? "" : bench.error().message;
  }
  test::TemporaryFolder folder_;
  std::unique_ptr<Problem> problem_ = make_attention_problem();
};

TEST_F(WorkbenchOpenTest, SaysWhatIsMissing) {
  WorkbenchOptions no_runner = options();
  no_runner.runner_path = "/nowhere/evoke_runner";
  EXPECT_THAT(error(no_runner), HasSubstr("/nowhere/evoke_runner"));
  WorkbenchOptions no_device = options();
  no_device.device = "abacus";
  EXPECT_THAT(error(no_device), HasSubstr("abacus"));
  WorkbenchOptions no_gpu = options();
  no_gpu.device = "cuda:99";
  EXPECT_THAT(error(no_gpu), HasSubstr("GPU"));
}

TEST_F(WorkbenchOpenTest, LeavesNothingBehind) {
  const char* const was = std::getenv("TMPDIR");
  const std::string before = was ? was : "";
  const std::string folder = folder_.file("temporary");
  std::filesystem::create_directory(folder);
  ::setenv("TMPDIR", folder.c_str(), 1);
  {
    WorkbenchOptions without = options();
    without.use_compile_cache = false;
    auto bench = Workbench::open(*problem_, without);
    ASSERT_TRUE(bench) << bench.error().message;
    EXPECT_EQ((*bench)->compile_cache(), nullptr);
    EXPECT_FALSE(std::filesystem::is_empty(folder));
    auto build = (*bench)->plan(test::honest_kernel(), "k.cpp", one_shape());
    ASSERT_TRUE((*bench)->compile(*build, one_shape()));
    EXPECT_FALSE(build->units().begin()->second->was_cached);
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder));
  if (was) {
    ::setenv("TMPDIR", before.c_str(), 1);
  } else {
    ::unsetenv("TMPDIR");
  }
}

}  // namespace
}  // namespace evoke::judge
