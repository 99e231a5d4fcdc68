#include "evoke/store/wal_heartbeat.h"

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "tests/store/support.h"

namespace evoke {
namespace {

using test::TemporaryFolder;

// Waits as long as it takes; the test's time limit is the limit.
template <typename Condition>
void wait_until(Condition condition) {
  while (!condition()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

TEST(WalHeartbeat, SyncsOnceForManyMarks) {
  const TemporaryFolder folder;
  std::ofstream(folder / "log") << "frames";
  WalHeartbeat heartbeat(folder / "log");
  for (int i = 0; i < 1000; ++i) heartbeat.mark();
  wait_until([&] { return heartbeat.syncs() > 0; });
  EXPECT_LE(heartbeat.syncs(), 2);
  EXPECT_TRUE(heartbeat.state().has_value());
}

TEST(WalHeartbeat, AnAbsentLogWasFoldedIntoTheDatabase) {
  const TemporaryFolder folder;
  WalHeartbeat heartbeat(folder / "log");
  heartbeat.mark();
  std::this_thread::sleep_for(
      std::chrono::milliseconds(2 * WalHeartbeat::kIntervalMs));
  EXPECT_TRUE(heartbeat.state().has_value());
  std::ofstream(folder / "log") << "frames";
  heartbeat.mark();
  wait_until([&] { return heartbeat.syncs() > 0; });
}

TEST(WalHeartbeat, AFailureIsRemembered) {
  const TemporaryFolder folder;
  std::filesystem::create_symlink(folder / "log", folder / "log");
  WalHeartbeat heartbeat(folder / "log");
  heartbeat.mark();
  wait_until([&] { return !heartbeat.state().has_value(); });
  EXPECT_NE(heartbeat.state().error().message.find(folder / "log"),
            std::string::npos);
  std::filesystem::remove(folder / "log");
  std::ofstream(folder / "log") << "frames";
  heartbeat.mark();
  wait_until([&] { return heartbeat.syncs() > 0; });
  EXPECT_FALSE(heartbeat.state().has_value())
      << "what was lost does not come back";
}

}  // namespace
}  // namespace evoke
