#include "evoke/store/run_lock.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "tests/store/support.h"

namespace evoke {
namespace {

using test::TemporaryFolder;

TEST(RunLock, NamesItsHolderAndEndsWithIt) {
  const TemporaryFolder folder;
  EXPECT_EQ(RunLock::holder(folder.path()).error().kind, ErrorKind::absent);
  {
    const auto lock = RunLock::take(folder.path());
    ASSERT_TRUE(lock.has_value()) << lock.error().message;
    EXPECT_EQ(RunLock::holder(folder.path()).value(), getpid());
    const auto second = RunLock::take(folder.path());
    ASSERT_FALSE(second.has_value());
    EXPECT_NE(second.error().message.find(std::to_string(getpid())),
              std::string::npos);
  }
  EXPECT_FALSE(RunLock::holder(folder.path()).has_value());
  EXPECT_TRUE(RunLock::take(folder.path()).has_value());
}

TEST(RunLock, HoldsBetweenProcessesUntilItsHolderIsKilled) {
  const TemporaryFolder folder;
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto lock = RunLock::take(folder.path());
    const char taken = lock ? 'y' : 'n';
    if (write(pipe_ends[1], &taken, 1) != 1) _exit(1);
    pause();
  }
  char taken = 0;
  ASSERT_EQ(read(pipe_ends[0], &taken, 1), 1);
  EXPECT_EQ(taken, 'y');
  EXPECT_EQ(RunLock::holder(folder.path()).value(), child);
  const auto refused = RunLock::take(folder.path());
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().message.find(std::to_string(child)),
            std::string::npos);
  kill(child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(RunLock::take(folder.path()).has_value());
  close(pipe_ends[0]);
  close(pipe_ends[1]);
}

TEST(RunLock, NeedsAFolder) {
  const TemporaryFolder folder;
  EXPECT_FALSE(RunLock::take(folder / "nothing").has_value());
}

}  // namespace
}  // namespace evoke
