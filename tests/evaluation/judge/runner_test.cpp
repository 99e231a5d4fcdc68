#include "evoke/evaluation/judge/runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <numeric>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "evoke/base/clock.h"
#include "tests/evaluation/judge/court.h"
#include "tests/evaluation/judge/kernels.h"
#include "tests/evaluation/judge/runner_setup.h"
#include "tests/support/runner_path.h"
#include "tests/support/temporary_folder.h"

namespace evoke::judge {
namespace {

using namespace std::chrono_literals;
using protocol::Role;
using test::children_of;
using test::comes_true;
using test::ends;
using test::kTimeoutMs;
using test::spec_of;
using test::start_bad;
using test::state_of;
using testing::HasSubstr;
using Kind = RunnerFault::Kind;

// Both ways that data may travel.
class RunnerTest : public ::testing::TestWithParam<bool> {
 protected:
  std::unique_ptr<Runner> start(Role role, RunnerLimits limits = {}) {
    auto runner = test::value_of(
        Runner::start(test::runner_path(), spec_of(role), limits, GetParam()));
    const auto greeted = runner->greet();
    if (!greeted) throw std::runtime_error(greeted.error().message);
    return runner;
  }
};
INSTANTIATE_TEST_SUITE_P(Paths, RunnerTest, ::testing::Bool(),
                         [](const auto& each) {
                           return each.param ? "SharedMemory" : "Stream";
                         });

TEST_P(RunnerTest, GreetsAndSaysWhatWasEnforced) {
  const auto runner = start(Role::execute);
  const protocol::Greeting& greeting = runner->greeting();
  EXPECT_EQ(greeting.role, Role::execute);
  EXPECT_EQ(greeting.device_kind, "cpu");
  EXPECT_GE(greeting.limits.num_sms, 1);
  EXPECT_EQ(greeting.shared_memory, GetParam());
#ifdef __linux__
  EXPECT_EQ(greeting.confinement.at("no_new_privileges"), true);
  EXPECT_TRUE(greeting.confinement.contains("seccomp"));
  EXPECT_TRUE(greeting.confinement.contains("landlock"));
#endif
}

TEST_P(RunnerTest, RefusesWhatIsNotItsRoleAndLivesOn) {
  const auto runner = start(Role::execute);
  const auto measured =
      runner->call(protocol::Measure{1 << 20, false}, kTimeoutMs);
  ASSERT_FALSE(measured);
  EXPECT_EQ(measured.error().kind, Kind::refused);
  EXPECT_TRUE(runner->usable());
  const auto loaded =
      runner->call(protocol::Load{{std::byte{1}, std::byte{2}}}, kTimeoutMs);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().kind, Kind::refused);
  EXPECT_TRUE(runner->call(protocol::Release{{}}, kTimeoutMs));
}

TEST_P(RunnerTest, CompilersDoNotRunAndRunnersDoNotCompile) {
  protocol::Compile compile;
  compile.kernel_text = test::make_kernel();
  const auto compiled = start(Role::execute)->call(compile, kTimeoutMs);
  ASSERT_FALSE(compiled);
  EXPECT_EQ(compiled.error().kind, Kind::refused);
}

TEST_P(RunnerTest, MemoryMakesTheRoundTrip) {
  const auto runner = start(Role::execute);
  auto memory = protocol::SharedMemory::create(200'000, false);
  ASSERT_TRUE(memory);
  for (std::size_t i = 0; i < 200'000; ++i) {
    memory->bytes()[i] = static_cast<std::byte>(i * 7);
  }
  const int buffer = test::value_of(runner->lend(*memory, /*writable=*/true));
  // Spoiled here on the slow path only: what is pulled must be the runner's.
  if (!GetParam()) std::fill_n(memory->bytes().begin(), 1000, std::byte{0});
  ASSERT_TRUE(runner->pull(buffer, *memory, 100, 900));
  EXPECT_EQ(memory->bytes()[100], static_cast<std::byte>(700 & 0xff));
  EXPECT_EQ(memory->bytes()[999], static_cast<std::byte>(6993 & 0xff));
  memory->bytes()[150'000] = std::byte{42};
  ASSERT_TRUE(runner->push(buffer, *memory, 150'000, 1));
  memory->bytes()[150'000] = GetParam() ? std::byte{42} : std::byte{0};
  ASSERT_TRUE(runner->pull(buffer, *memory, 150'000, 1));
  EXPECT_EQ(memory->bytes()[150'000], std::byte{42});
  ASSERT_TRUE(runner->take_back(buffer));
  const auto twice = runner->take_back(buffer);
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().kind, Kind::refused);
}

TEST_P(RunnerTest, LargeMemoryTravelsInPieces) {
  const auto runner = start(Role::execute);
  const auto bytes =
      2 * static_cast<int64_t>(protocol::kMaxInlineBytes) + 5'000;
  auto memory = protocol::SharedMemory::create(bytes, false);
  ASSERT_TRUE(memory);
  memory->bytes().back() = std::byte{9};
  const int buffer = test::value_of(runner->lend(*memory, true));
  if (!GetParam()) memory->bytes().back() = std::byte{0};
  ASSERT_TRUE(runner->pull(buffer, *memory, 0, bytes));
  EXPECT_EQ(memory->bytes().back(), std::byte{9});
}

// Kernels that do something bad at a shape, in a runner of either kind.
class RunnerFaultTest : public RunnerTest {
 protected:
  // Loads and prepares one call of a kernel; run() runs it.
  void prepare(const std::string& before, RunnerLimits limits = {}) {
    test::KernelOptions options;
    options.when = test::kSmall;
    options.before = before;
    build_ = test::Court::shared().build(test::make_kernel(options));
    runner_ = start(Role::execute, limits);
    kernel_ = std::make_unique<LoadedKernel>(runner_, *build_);
    const Shape shape = test::small_workload().shapes[0].shape;
    const auto prepared = test::Court::shared().problem().prepare(
        {shape, "normal", "contiguous"}, 1);
    const auto& layouts = prepared->tensors();
    protocol::Placements placements;
    int64_t offset = 0;
    for (const TensorLayout& layout : layouts) {
      placements.push_back({1, offset});
      offset += round_up(layout.allocation_bytes, kPageBytes);
    }
    memory_ = std::move(*protocol::SharedMemory::create(offset, false));
    ASSERT_EQ(test::value_of(runner_->lend(*memory_, true)), 1);
    const auto plan = build_->plan_for(shape);
    calls_ = test::value_of(kernel_->prepare(*plan, layouts, {placements}));
  }
  RunnerFault run(int64_t timeout_ms = kTimeoutMs) {
    auto ran = kernel_->run(calls_, timeout_ms);
    return ran ? RunnerFault{Kind::refused, "it ran well"} : ran.error();
  }
  std::unique_ptr<KernelBuild> build_;
  std::shared_ptr<Runner> runner_;
  std::unique_ptr<LoadedKernel> kernel_;
  std::optional<protocol::SharedMemory> memory_;
  std::vector<int> calls_;
};
INSTANTIATE_TEST_SUITE_P(Paths, RunnerFaultTest, ::testing::Bool(),
                         [](const auto& each) {
                           return each.param ? "SharedMemory" : "Stream";
                         });

constexpr const char* kCrash =
    "  out[0] = key[int64_t{1} << 45];\n  if (Lk > 1) return;\n";
constexpr const char* kHang =
    "  volatile int forever = 1;\n  while (forever) {\n  }\n";

TEST_P(RunnerFaultTest, ACrashIsTheRunnersDeath) {
  prepare(kCrash);
  const RunnerFault fault = run();
  EXPECT_EQ(fault.kind, Kind::died);
  EXPECT_THAT(fault.message, HasSubstr(test::kCrashed));
  EXPECT_FALSE(runner_->usable());
  EXPECT_TRUE(ends(runner_->pid()));
  const auto again = runner_->call(protocol::Go{}, kTimeoutMs);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, Kind::unavailable);
}

TEST_P(RunnerFaultTest, AHangIsKilled) {
  prepare(kHang);
  const RunnerFault fault = run(200);
  EXPECT_EQ(fault.kind, Kind::timed_out);
  EXPECT_TRUE(ends(runner_->pid()));
}

TEST_P(RunnerFaultTest, CancelFromAnotherThreadEndsTheCall) {
  prepare(kHang);
  std::thread canceller([&] {
    std::this_thread::sleep_for(100ms);
    runner_->cancel();
  });
  const RunnerFault fault = run();
  canceller.join();
  EXPECT_EQ(fault.kind, Kind::cancelled);
  EXPECT_FALSE(runner_->usable());
  EXPECT_TRUE(ends(runner_->pid()));
}

// Whoever holds a runner that was cancelled while idle must see that it is no
// use, before asking it anything.
TEST_P(RunnerFaultTest, ACancelledRunnerIsNotUsable) {
  prepare("");
  EXPECT_EQ(run().message, "it ran well");
  runner_->cancel();
  EXPECT_FALSE(runner_->usable());
  EXPECT_EQ(run().kind, Kind::cancelled);
}

// The system does this when memory is short: not the candidate's fault.
TEST_P(RunnerFaultTest, AKillFromOutsideIsNobodysFault) {
  prepare("");
  ::kill(runner_->pid(), SIGKILL);
  EXPECT_EQ(run().kind, Kind::unavailable);
}

TEST_P(RunnerFaultTest, MemoryThatTheJudgeLendsIsNotHeldAgainstTheRunner) {
  if (test::kSanitized) {
    GTEST_SKIP() << "the sanitizer's run-time library takes memory of its own";
  }
  RunnerLimits limits;
  limits.memory_bytes = int64_t{96} << 20;
  prepare(kHang, limits);
  auto memory = protocol::SharedMemory::create(int64_t{160} << 20, false);
  ASSERT_TRUE(memory);
  test::value_of(runner_->lend(*memory, true));
  EXPECT_EQ(run(300).kind, Kind::timed_out);
}

TEST(RunnerLimitsTest, ARunnerThatGrowsTooLargeIsKilled) {
  RunnerLimits limits;
  limits.memory_bytes = int64_t{64} << 20;
  auto runner = test::value_of(
      Runner::start(test::runner_path(), spec_of(Role::measure), limits, true));
  ASSERT_TRUE(runner->greet());
  const auto measured =
      runner->call(protocol::Measure{int64_t{1} << 30, false}, 60'000);
  ASSERT_FALSE(measured);
  EXPECT_EQ(measured.error().kind, Kind::out_of_memory);
  EXPECT_THAT(measured.error().message, HasSubstr("64 MB are allowed"));
  EXPECT_TRUE(ends(runner->pid()));
}

// A compiler in a process group of its own goes with its runner.
TEST(RunnerGroupTest, AHangingCompilerIsKilledWithItsRunner) {
  test::TemporaryFolder folder;
  RunnerSpec spec = spec_of(Role::compile);
  spec.private_folder = folder.path();
  auto runner = test::value_of(
      Runner::start(test::runner_path(), spec, RunnerLimits{}, true));
  ASSERT_TRUE(runner->greet());
  test::KernelOptions options;
  options.header = R"(
constexpr int count(int from) {
  int sum = 0;
  for (int i = 0; i < 100'000; ++i) sum += i % from;
  return sum;
}
template <int n> struct Sum {
  static constexpr int value = count(n) + Sum<n - 1>::value;
};
template <> struct Sum<1> {
  static constexpr int value = 0;
};
static_assert(Sum<800>::value != 0);
)";
  const auto kernel =
      KernelSource::parse(test::make_kernel(options), Dialect::cpu, "k.cpp");
  ASSERT_TRUE(kernel) << kernel.error().message;
  const auto& problem = test::Court::shared().problem();
  const auto plan = resolve(*kernel, problem.signature(),
                            test::small_workload().shapes[0].shape,
                            runner->greeting().limits);
  ASSERT_TRUE(plan) << plan.error().message;
  protocol::Compile compile{kernel->text(), Dialect::cpu, "k.cpp",
                            problem.signature(), unit_of(*plan)};
  std::vector<pid_t> compilers;
  std::thread watcher([&] {
    for (int i = 0; i < 2'000 && compilers.empty(); ++i) {
      compilers = children_of(runner->pid());
      std::this_thread::sleep_for(2ms);
    }
    std::this_thread::sleep_for(300ms);
    for (const pid_t child : children_of(runner->pid())) {
      compilers.push_back(child);
      for (const pid_t grandchild : children_of(child)) {
        compilers.push_back(grandchild);
      }
    }
  });
  const auto compiled = runner->call(compile, 2'000);
  watcher.join();
  ASSERT_FALSE(compiled) << "the compiler was quicker than it can be";
  EXPECT_EQ(compiled.error().kind, Kind::timed_out);
  ASSERT_FALSE(compilers.empty());
  for (const pid_t pid : compilers) EXPECT_TRUE(ends(pid)) << pid;
}

TEST(RunnerStartTest, AMissingProgramIsNamed) {
  const auto runner =
      Runner::start("/nowhere/evoke_runner", spec_of(Role::execute), {}, true);
  ASSERT_FALSE(runner);
  EXPECT_EQ(runner.error().kind, Kind::unavailable);
  EXPECT_THAT(runner.error().message, HasSubstr("/nowhere/evoke_runner"));
}

TEST(RunnerStartTest, AnotherProgramIsNoRunner) {
  for (const char* program : {"/bin/true", "/bin/sleep", "/bin/cat"}) {
    auto runner = Runner::start(program, spec_of(Role::execute), {}, true);
    ASSERT_TRUE(runner) << program;
    const auto greeted = (*runner)->greet();
    ASSERT_FALSE(greeted) << program;
    EXPECT_EQ(greeted.error().kind, Kind::unavailable) << program;
    EXPECT_FALSE((*runner)->usable());
  }
}

TEST(RunnerStartTest, AnUnknownDeviceOrBaselineSaysSo) {
  auto runner = test::value_of(Runner::start(
      test::runner_path(), spec_of(Role::execute, "tpu"), {}, true));
  const auto greeted = runner->greet();
  ASSERT_FALSE(greeted);
  EXPECT_EQ(greeted.error().kind, Kind::unavailable);
  EXPECT_THAT(greeted.error().message, HasSubstr("tpu"));

  RunnerSpec spec = spec_of(Role::baseline);
  spec.baseline = "abacus";
  auto baseline =
      test::value_of(Runner::start(test::runner_path(), spec, {}, true));
  const auto met = baseline->greet();
  ASSERT_FALSE(met);
  EXPECT_THAT(met.error().message, HasSubstr("abacus"));
}

TEST(RunnerStartTest, ARunnerThatNeverGreetsIsGivenUp) {
  RunnerLimits limits;
  limits.start_timeout_ms = 100;
  auto runner = test::value_of(Runner::start(
      EVOKE_BAD_RUNNER_PATH, spec_of(Role::execute, "mute"), limits, true));
  const auto greeted = runner->greet();
  ASSERT_FALSE(greeted);
  EXPECT_EQ(greeted.error().kind, Kind::unavailable);
  EXPECT_TRUE(ends(runner->pid()));
}

TEST(RunnerStartTest, AnotherVersionIsRefused) {
  const auto runner = start_bad("old_greeting");
  ASSERT_FALSE(runner);
  EXPECT_EQ(runner.error().kind, Kind::unavailable);
  EXPECT_THAT(runner.error().message, HasSubstr("version"));
}

TEST(RunnerEnd, ARunnerEndsWithItsOwner) {
  pid_t pid = 0;
  {
    auto runner = test::value_of(
        Runner::start(test::runner_path(), spec_of(Role::execute), {}, true));
    ASSERT_TRUE(runner->greet());
    pid = runner->pid();
  }
  EXPECT_TRUE(ends(pid));
}

class RunnerSharedCalls : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(lock);
    ASSERT_TRUE(runner->greet());
  }
  test::TemporaryFolder folder;
  Result<DeviceLock> lock = DeviceLock::open(folder.path(), "cpu");
  std::unique_ptr<Runner> runner = test::value_of(
      Runner::start(test::runner_path(), spec_of(Role::execute), {}, true));
};

// While somebody takes times on a device, a call that uses it waits.
TEST_F(RunnerSharedCalls, WaitForWhoeverHasTheDeviceAlone) {
  const protocol::Release nothing;
  std::atomic<bool> answered{false};
  std::atomic<int> looks{0};
  auto claim = lock->claim([] { return false; });
  ASSERT_TRUE(claim);
  {
    const Runner::SharedCalls shared(*runner, *lock, [&] {
      ++looks;
      return false;
    });
    std::thread caller([&] {
      EXPECT_TRUE(runner->call(nothing, kTimeoutMs));
      answered = true;
    });
    EXPECT_TRUE(comes_true([&] { return looks > 3; }));
    EXPECT_FALSE(answered);
    claim.reset();
    caller.join();
  }
  // Afterwards nobody is waited for.
  claim = lock->claim([] { return false; });
  EXPECT_TRUE(runner->call(nothing, kTimeoutMs));
}

// Two calls that belong together: nobody takes times in between, and who waits
// to do so does not keep the second one waiting.
TEST_F(RunnerSharedCalls, OneShareServesSeveralCalls) {
  const auto never = [] { return false; };
  const Runner::SharedCalls shared(*runner, *lock, never);
  std::optional<Runner::OneShare> share(*runner);
  EXPECT_TRUE(runner->call(protocol::Release{}, kTimeoutMs));
  std::atomic<bool> claimed{false};
  std::thread timer([&] {
    const auto claim = lock->claim(never);
    claimed = true;
  });
  EXPECT_TRUE(comes_true([&] { return lock->claim_waits(); }));
  EXPECT_TRUE(runner->call(protocol::Release{}, kTimeoutMs));
  EXPECT_FALSE(claimed);
  share.reset();
  timer.join();
}

TEST_F(RunnerSharedCalls, WhatEndsTheWaitingEndsTheRunner) {
  const auto claim = lock->claim([] { return false; });
  const Runner::SharedCalls shared(*runner, *lock, [] { return true; });
  const auto called = runner->call(protocol::Release{}, kTimeoutMs);
  ASSERT_FALSE(called);
  EXPECT_EQ(called.error().kind, Kind::cancelled);
  EXPECT_FALSE(runner->usable());
}

#ifdef __linux__
TEST(RunnerPause, APausedRunnerStandsStillAndGoesOn) {
  auto runner = test::value_of(
      Runner::start(test::runner_path(), spec_of(Role::execute), {}, true));
  ASSERT_TRUE(runner->greet());
  const pid_t pid = runner->pid();
  const auto stands_still = [&] { return state_of(pid) == 'T'; };
  runner->pause();
  EXPECT_TRUE(comes_true(stands_still));
  runner->resume();
  EXPECT_TRUE(comes_true([&] { return !stands_still(); }));
  runner->pause();
  EXPECT_TRUE(comes_true(stands_still));
  runner.reset();
  EXPECT_TRUE(ends(pid));
}

// Not even a judge that is killed leaves runners behind.
TEST(RunnerEnd, ARunnerEndsWithTheThreadThatStartedIt) {
  std::unique_ptr<Runner> runner;
  std::thread([&] {
    runner = test::value_of(
        Runner::start(test::runner_path(), spec_of(Role::execute), {}, true));
    ASSERT_TRUE(runner->greet());
  }).join();
  EXPECT_TRUE(ends(runner->pid()));
}
#endif

}  // namespace
}  // namespace evoke::judge
