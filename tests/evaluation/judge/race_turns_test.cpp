#include "evoke/evaluation/judge/race_turns.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <thread>
#include <utility>

#include "tests/support/comes_true.h"
#include "tests/support/temporary_folder.h"

namespace evoke::judge {
namespace {

using test::comes_true;

bool never() { return false; }
bool at_once() { return true; }

class RaceTurnsTest : public ::testing::Test {
 protected:
  static DeviceLock open(const std::string& folder) {
    auto lock = DeviceLock::open(folder, "cuda");
    if (!lock) throw std::runtime_error(lock.error().message);
    return std::move(*lock);
  }
  test::TemporaryFolder folder_;
  DeviceLock lock_ = open(folder_.path());
  std::atomic<int64_t> now_ns_ = 0;
  RaceTurns turns_{lock_, [this] { return now_ns_.load(); }};
};

TEST_F(RaceTurnsTest, ATurnIsAloneOnTheDevice) {
  auto turn = turns_.take(never);
  ASSERT_TRUE(turn);
  EXPECT_FALSE(lock_.share(at_once));
  EXPECT_FALSE(lock_.claim(at_once));
  turn.reset();
  EXPECT_TRUE(lock_.share(at_once));
}

TEST_F(RaceTurnsTest, StoppingEndsTheWaitForOthers) {
  const auto share = lock_.share(never);
  EXPECT_FALSE(turns_.take(at_once));
}

TEST_F(RaceTurnsTest, ATurnKnowsHowLongItWaitedForCalls) {
  auto share = lock_.share(never);
  std::atomic<int64_t> waited_ns = -1;
  std::thread candidate([&] { waited_ns = turns_.take(never)->claim_ns(); });
  EXPECT_TRUE(comes_true([&] { return lock_.claim_waits(); }));
  now_ns_ = 300'000'000;
  share.reset();
  candidate.join();
  EXPECT_EQ(waited_ns, 300'000'000);
  EXPECT_EQ(turns_.take(never)->claim_ns(), 0);
}

// What waits comes at once, and nobody else in between.
TEST_F(RaceTurnsTest, WaitingCandidatesHaveTheirTurnsUnderOneClaim) {
  auto first = turns_.take(never);
  std::atomic<bool> second_has_it = false;
  std::atomic<bool> go_on = false;
  std::thread second([&] {
    const auto turn = turns_.take(never);
    second_has_it = true;
    EXPECT_TRUE(comes_true([&] { return go_on.load(); }));
  });
  EXPECT_TRUE(comes_true([&] { return turns_.candidates_waiting() == 1; }));
  std::atomic<bool> shared = false;
  std::thread call([&] {
    const auto share = lock_.share(never);
    shared = true;
  });
  EXPECT_TRUE(comes_true([&] { return lock_.shares_wait(); }));
  first.reset();
  EXPECT_TRUE(comes_true([&] { return second_has_it.load(); }));
  EXPECT_FALSE(shared);
  EXPECT_FALSE(lock_.share(at_once));
  go_on = true;
  second.join();
  call.join();
  EXPECT_TRUE(shared);
}

// 5 s under one claim are enough, even for those who wait.
TEST_F(RaceTurnsTest, AClaimEndsBetweenTurns) {
  auto first = turns_.take(never);
  std::thread second([&] { turns_.take(never); });
  EXPECT_TRUE(comes_true([&] { return turns_.candidates_waiting() == 1; }));
  std::atomic<bool> shared = false;
  std::atomic<bool> go_on = false;
  std::thread call([&] {
    const auto share = lock_.share(never);
    shared = true;
    EXPECT_TRUE(comes_true([&] { return go_on.load(); }));
  });
  EXPECT_TRUE(comes_true([&] { return lock_.shares_wait(); }));
  now_ns_ = 5'000'000'000;
  first.reset();
  EXPECT_TRUE(comes_true([&] { return shared.load(); }));
  now_ns_ = 10'000'000'000;
  go_on = true;
  second.join();
  call.join();
}

TEST_F(RaceTurnsTest, CallsThatWaitedHaveTheDeviceForAsLong) {
  auto turn = turns_.take(never);
  std::thread call([&] { const auto share = lock_.share(never); });
  EXPECT_TRUE(comes_true([&] { return lock_.shares_wait(); }));
  now_ns_ = 500'000'000;
  turn.reset();
  call.join();
  now_ns_ = 999'000'000;
  EXPECT_FALSE(turns_.take(at_once));
  now_ns_ = 1'000'000'000;
  EXPECT_TRUE(turns_.take(at_once));
}

TEST_F(RaceTurnsTest, WhereNobodyWaitedNobodyRests) {
  auto turn = turns_.take(never);
  now_ns_ = 500'000'000;
  turn.reset();
  EXPECT_TRUE(turns_.take(at_once));
}

}  // namespace
}  // namespace evoke::judge
