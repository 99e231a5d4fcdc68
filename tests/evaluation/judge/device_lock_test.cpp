#include "evoke/evaluation/judge/device_lock.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/temporary_folder.h"

namespace evoke::judge {
namespace {

using namespace std::chrono_literals;

bool never() { return false; }
bool at_once() { return true; }

class DeviceLockTest : public ::testing::Test {
 protected:
  DeviceLock open(const std::string& device = "cpu") const {
    auto lock = DeviceLock::open(folder_.path(), device);
    if (!lock) throw std::runtime_error(lock.error().message);
    return std::move(*lock);
  }
  test::TemporaryFolder folder_;
};

TEST_F(DeviceLockTest, ManyMayShare) {
  const DeviceLock lock = open();
  const auto one = lock.share(at_once);
  const auto two = lock.share(at_once);
  EXPECT_TRUE(one.has_value());
  EXPECT_TRUE(two.has_value());
}

TEST_F(DeviceLockTest, OneClaimsAlone) {
  const DeviceLock lock = open();
  auto claim = lock.claim(at_once);
  ASSERT_TRUE(claim);
  EXPECT_FALSE(lock.claim(at_once));
  EXPECT_FALSE(lock.share(at_once));
  EXPECT_FALSE(open().share(at_once));  // another object, the same device
  claim.reset();
  EXPECT_TRUE(lock.share(at_once));
  EXPECT_TRUE(lock.claim(at_once));
}

TEST_F(DeviceLockTest, AShareKeepsClaimsOut) {
  const DeviceLock lock = open();
  auto share = lock.share(at_once);
  EXPECT_FALSE(lock.claim(at_once));
  share.reset();
  EXPECT_TRUE(lock.claim(at_once));
}

TEST_F(DeviceLockTest, DevicesDoNotDisturbEachOther) {
  const auto claim = open("cpu").claim(at_once);
  EXPECT_TRUE(open("cuda").claim(at_once));
  EXPECT_NE(open("cpu").path(), open("cuda").path());
}

TEST_F(DeviceLockTest, StopEndsWaiting) {
  const DeviceLock lock = open();
  const auto claim = lock.claim(at_once);
  std::atomic<bool> stop{false};
  std::atomic<int> ended{0};
  std::thread waits_for_claim([&] {
    EXPECT_FALSE(lock.claim([&] { return stop.load(); }));
    ++ended;
  });
  std::thread waits_for_share([&] {
    EXPECT_FALSE(lock.share([&] { return stop.load(); }));
    ++ended;
  });
  std::this_thread::sleep_for(30ms);
  EXPECT_EQ(ended, 0);
  stop = true;
  waits_for_claim.join();
  waits_for_share.join();
}

// Without this a stream of short shared work would keep timing out for ever.
TEST_F(DeviceLockTest, AWaitingClaimLetsNothingNewBegin) {
  const DeviceLock lock = open();
  auto share = lock.share(at_once);
  std::atomic<bool> claimed{false};
  std::thread waiting([&] {
    const auto claim = lock.claim(never);
    claimed = claim.has_value();
  });
  // As soon as the other thread waits, no more shares are given.
  bool refused = false;
  for (int i = 0; i < 5'000 && !refused; ++i) {
    refused = !lock.share(at_once).has_value();
    std::this_thread::sleep_for(1ms);
  }
  EXPECT_TRUE(refused);
  EXPECT_FALSE(claimed);
  share.reset();
  waiting.join();
  EXPECT_TRUE(claimed);
  EXPECT_TRUE(lock.share(at_once));
}

TEST_F(DeviceLockTest, NobodySharesWhileOneClaims) {
  const DeviceLock lock = open();
  std::atomic<int> sharing{0};
  std::atomic<int> claiming{0};
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 25; ++i) {
        if ((i + t) % 3 == 0) {
          const auto claim = lock.claim(never);
          if (++claiming != 1 || sharing != 0) ++wrong;
          std::this_thread::yield();
          --claiming;
        } else {
          const auto share = lock.share(never);
          ++sharing;
          if (claiming != 0) ++wrong;
          std::this_thread::yield();
          --sharing;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

// A child that holds a claim until it is killed.
pid_t start_holder(const DeviceLock& lock, bool exclusive) {
  std::array<int, 2> ready{};
  if (::pipe(ready.data()) != 0) return -1;
  const pid_t child = ::fork();
  if (child == 0) {
    const auto held = exclusive ? lock.claim(never) : lock.share(never);
    const char byte = held ? 'y' : 'n';
    if (::write(ready[1], &byte, 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  char byte = 'n';
  const bool told = ::read(ready[0], &byte, 1) == 1;
  ::close(ready[0]);
  ::close(ready[1]);
  return told && byte == 'y' ? child : -1;
}

TEST_F(DeviceLockTest, HoldsBetweenProcesses) {
  const DeviceLock lock = open();
  const pid_t holder = start_holder(lock, /*exclusive=*/true);
  ASSERT_GT(holder, 0);
  EXPECT_FALSE(lock.share(at_once));
  EXPECT_FALSE(lock.claim(at_once));
  ::kill(holder, SIGKILL);
  ::waitpid(holder, nullptr, 0);
  // Nothing is left behind by whoever dies.
  EXPECT_TRUE(lock.claim(at_once));

  const pid_t sharer = start_holder(lock, /*exclusive=*/false);
  ASSERT_GT(sharer, 0);
  EXPECT_TRUE(lock.share(at_once));
  EXPECT_FALSE(lock.claim(at_once));
  ::kill(sharer, SIGKILL);
  ::waitpid(sharer, nullptr, 0);
  EXPECT_TRUE(lock.claim(at_once));
}

TEST_F(DeviceLockTest, AStoppedHolderIsWaitedFor) {
  const DeviceLock lock = open();
  const pid_t holder = start_holder(lock, /*exclusive=*/true);
  ASSERT_GT(holder, 0);
  ::kill(holder, SIGSTOP);
  int status = 0;
  ::waitpid(holder, &status, WUNTRACED);
  EXPECT_FALSE(lock.share(at_once));
  ::kill(holder, SIGKILL);
  ::waitpid(holder, nullptr, 0);
  EXPECT_TRUE(lock.share(at_once));
}

TEST_F(DeviceLockTest, TheFolderIsMadeForItsUserAlone) {
  const std::string folder = folder_.file("deep/inside");
  const auto lock = DeviceLock::open(folder, "cpu");
  ASSERT_TRUE(lock) << lock.error().message;
  struct stat status{};
  ASSERT_EQ(::stat(folder.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700U);
}

TEST_F(DeviceLockTest, AFolderThatCannotBeUsedIsNamed) {
  const std::string file = folder_.file("file");
  std::ofstream(file) << "not a folder";
  const auto lock = DeviceLock::open(file + "/inside", "cpu");
  ASSERT_FALSE(lock);
  EXPECT_NE(lock.error().message.find(file), std::string::npos);
  const auto same = DeviceLock::open(file, "cpu");
  ASSERT_FALSE(same);
  EXPECT_NE(same.error().message.find(file), std::string::npos);
}

}  // namespace
}  // namespace evoke::judge
