#include "evoke/evaluation/judge/runner_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <future>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/evaluation/judge/court.h"
#include "tests/support/runner_path.h"

namespace evoke::judge {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using Kind = RunnerFault::Kind;

RunnerPoolOptions options_for(const std::string& program) {
  RunnerPoolOptions options;
  options.program = program;
  return options;
}

RunnerSpec execute() {
  RunnerSpec spec;
  spec.num_threads = 1;
  return spec;
}

bool comes_true(const std::function<bool()>& condition) {
  for (int i = 0; i < 4'000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(5ms);
  }
  return false;
}

class RunnerPoolTest : public ::testing::Test {
 protected:
  RunnerPool pool_{options_for(test::runner_path())};
};

TEST_F(RunnerPoolTest, EveryRunnerIsAFreshProcess) {
  std::set<pid_t> pids;
  std::vector<std::shared_ptr<Runner>> kept;
  for (int i = 0; i < 3; ++i) {
    auto runner = pool_.take(execute());
    ASSERT_TRUE(runner) << runner.error().message;
    EXPECT_EQ((*runner)->greeting().role, protocol::Role::execute);
    pids.insert((*runner)->pid());
    kept.push_back(*runner);
  }
  EXPECT_EQ(pids.size(), 3U);
  EXPECT_EQ(pool_.num_started(), 3);
}

TEST_F(RunnerPoolTest, SparesAreStartedAheadAndReplaced) {
  pool_.keep_spares(execute(), 2);
  ASSERT_TRUE(comes_true([&] { return pool_.num_started() == 2; }));
  const auto runner = pool_.take(execute());
  ASSERT_TRUE(runner);
  EXPECT_TRUE((*runner)->call(protocol::Release{{}}, 5'000));
  ASSERT_TRUE(comes_true([&] { return pool_.num_started() == 3; }));
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(pool_.num_started(), 3);  // no more than were asked for
}

TEST_F(RunnerPoolTest, ManySparesAreStartedSeveralAtATime) {
  pool_.keep_spares(execute(), 4);
  ASSERT_TRUE(comes_true([&] { return pool_.num_started() == 4; }));
  const auto first = pool_.take(execute());
  ASSERT_TRUE(first);
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(pool_.num_started(), 4);  // one is not worth a start
  const auto second = pool_.take(execute());
  ASSERT_TRUE(second);
  ASSERT_TRUE(comes_true([&] { return pool_.num_started() == 6; }));
}

TEST_F(RunnerPoolTest, OtherKindsAreStartedWhenAskedFor) {
  pool_.keep_spares(execute(), 1);
  RunnerSpec measure;
  measure.role = protocol::Role::measure;
  const auto runner = pool_.take(measure);
  ASSERT_TRUE(runner);
  EXPECT_EQ((*runner)->greeting().role, protocol::Role::measure);
}

// A spare may have died since it was made, of an empty machine's memory say.
TEST_F(RunnerPoolTest, ADeadSpareIsAFaultThatCanBeRetried) {
  pool_.keep_spares(execute(), 1);
  ASSERT_TRUE(comes_true([&] { return pool_.num_started() == 1; }));
  auto first = pool_.take(execute());
  ASSERT_TRUE(first);
  ::kill((*first)->pid(), SIGKILL);
  const auto answer = (*first)->call(protocol::Release{{}}, 5'000);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, Kind::unavailable);
  const auto second = pool_.take(execute());
  ASSERT_TRUE(second);
  EXPECT_TRUE((*second)->call(protocol::Release{{}}, 5'000));
}

TEST_F(RunnerPoolTest, CancelKillsWhatWasHandedOutUntilResume) {
  auto runner = pool_.take(execute());
  ASSERT_TRUE(runner);
  pool_.cancel();
  EXPECT_FALSE((*runner)->usable());
  const auto refused = pool_.take(execute());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, Kind::cancelled);
  pool_.resume();
  const auto next = pool_.take(execute());
  ASSERT_TRUE(next) << next.error().message;
  EXPECT_TRUE((*next)->call(protocol::Release{{}}, 5'000));
}

TEST_F(RunnerPoolTest, CancelEndsCallsInOtherThreads) {
  RunnerSpec measure;
  measure.role = protocol::Role::measure;
  auto runner = pool_.take(measure);
  ASSERT_TRUE(runner);
  RunnerFault::Kind kind = Kind::refused;
  std::thread caller([&] {
    const auto measured =
        (*runner)->call(protocol::Measure{int64_t{1} << 30, true}, 60'000);
    if (!measured) kind = measured.error().kind;
  });
  std::this_thread::sleep_for(50ms);
  pool_.cancel();
  caller.join();
  EXPECT_EQ(kind, Kind::cancelled);
}

TEST_F(RunnerPoolTest, ManyThreadsTakeAtOnceWhileOneCancels) {
  std::atomic<bool> go_on{true};
  std::atomic<int> taken{0};
  std::atomic<int> other{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      while (go_on) {
        auto runner = pool_.take(execute());
        if (!runner) {
          if (runner.error().kind != Kind::cancelled) ++other;
          std::this_thread::sleep_for(1ms);
          continue;
        }
        const auto answer = (*runner)->call(protocol::Release{{}}, 5'000);
        if (!answer && answer.error().kind != Kind::cancelled) ++other;
        if (answer) ++taken;
      }
    });
  }
  for (int i = 0; i < 5; ++i) {
    std::this_thread::sleep_for(30ms);
    pool_.cancel();
    std::this_thread::sleep_for(2ms);
    pool_.resume();
  }
  EXPECT_TRUE(comes_true([&] { return taken > 0; }));
  go_on = false;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(other, 0);
}

TEST(RunnerPoolFaults, AMissingProgramIsSaidEachTime) {
  RunnerPool pool(options_for("/nowhere/evoke_runner"));
  pool.keep_spares(execute(), 2);
  for (int i = 0; i < 2; ++i) {
    const auto runner = pool.take(execute());
    ASSERT_FALSE(runner);
    EXPECT_EQ(runner.error().kind, Kind::unavailable);
    EXPECT_THAT(runner.error().message, HasSubstr("/nowhere/evoke_runner"));
  }
}

// Spares wait for whoever measures; what is asked for now does not.
TEST(RunnerPoolLock, NothingIsStartedWhileSomebodyMeasuresButByHim) {
  test::TemporaryFolder folder;
  const auto lock = DeviceLock::open(folder.path(), "cpu");
  ASSERT_TRUE(lock);
  auto claim = lock->claim([] { return false; });
  RunnerPoolOptions options = options_for(test::runner_path());
  options.device_lock = &*lock;
  RunnerPool pool(options);
  pool.keep_spares(execute(), 2);
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(pool.num_started(), 0);
  EXPECT_TRUE(pool.take(execute(), Starting::at_once));
  EXPECT_EQ(pool.num_started(), 1);
  auto waits =
      std::async(std::launch::async, [&] { return pool.take(execute()); });
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(pool.num_started(), 1);
  claim.reset();
  EXPECT_TRUE(waits.get());
  EXPECT_TRUE(comes_true([&] { return pool.num_started() == 4; }));
}

}  // namespace
}  // namespace evoke::judge
