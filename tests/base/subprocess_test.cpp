#include "evoke/base/subprocess.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <thread>

#include "evoke/base/clock.h"

namespace evoke {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Generous: a loaded machine must not fail these tests.
constexpr int64_t kLongEnoughMs = 60'000;

SubprocessOptions shell(const std::string& script) {
  SubprocessOptions options;
  options.arguments = {"/bin/sh", "-c", script};
  options.environment = {"PATH=/usr/bin:/bin"};
  return options;
}

std::string output_of(const SubprocessOptions& options) {
  auto child = Subprocess::start(options);
  EXPECT_TRUE(child) << child.error().message;
  if (!child) return "";
  const auto status = child->wait(kLongEnoughMs);
  EXPECT_TRUE(status && status->ok());
  return child->output();
}

// "R", "S", "Z", ... or nothing once the process is gone.
std::string state_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text((std::istreambuf_iterator<char>(file)), {});
  const std::size_t name_end = text.rfind(") ");
  return name_end == text.npos ? "" : text.substr(name_end + 2, 1);
}

// Killed processes without a parent may stay zombies when nobody adopts them.
bool ends_soon(pid_t pid) {
  for (int i = 0; i < 6000; ++i) {
    const std::string state = state_of(pid);
    if (state.empty() || state == "Z" || state == "X") return true;
    ::usleep(10'000);
  }
  return false;
}

// The first line of what a running child has written, as a number.
pid_t first_number(Subprocess& child) {
  for (int i = 0; i < 6000; ++i) {
    child.wait(10);
    const std::string& text = child.output();
    if (text.find('\n') != text.npos) return std::stoi(text);
  }
  ADD_FAILURE() << "the child wrote nothing";
  return -1;
}

std::size_t count_own_descriptors() {
  const std::filesystem::directory_iterator folder("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(folder), end(folder)));
}

TEST(Subprocess, GivesExitCodeAndOutput) {
  auto child = Subprocess::start(shell("echo out; echo err >&2; exit 3"));
  ASSERT_TRUE(child) << child.error().message;
  const auto status = child->wait(kLongEnoughMs);
  ASSERT_TRUE(status);
  EXPECT_EQ(status->code, 3);
  EXPECT_EQ(status->signal, 0);
  EXPECT_FALSE(status->ok());
  EXPECT_EQ(child->output(), "out\nerr\n");
  // Asking again changes nothing.
  EXPECT_EQ(child->wait(0)->code, 3);
  EXPECT_EQ(child->kill().code, 3);
}

TEST(Subprocess, GivesTheSignalThatEndedIt) {
  auto child = Subprocess::start(shell("kill -SEGV $$"));
  ASSERT_TRUE(child);
  const auto status = child->wait(kLongEnoughMs);
  ASSERT_TRUE(status);
  EXPECT_EQ(status->signal, SIGSEGV);
  EXPECT_FALSE(status->ok());
}

TEST(Subprocess, TellsAnAbsentProgramFromOneThatCannotRun) {
  SubprocessOptions options;
  options.arguments = {"/no/such/program"};
  const auto missing = Subprocess::start(options);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::absent);
  EXPECT_THAT(missing.error().message, HasSubstr("/no/such/program"));

  options.arguments = {"/etc/passwd"};
  const auto unusable = Subprocess::start(options);
  ASSERT_FALSE(unusable);
  EXPECT_EQ(unusable.error().kind, ErrorKind::failed);
  EXPECT_THAT(unusable.error().message, HasSubstr("cannot start /etc/passwd"));

  EXPECT_THROW((void)Subprocess::start({}), UsageError);
}

TEST(Subprocess, NamesAWorkingFolderThatIsNotThere) {
  SubprocessOptions options = shell("true");
  options.working_folder = "/no/such/folder";
  const auto child = Subprocess::start(options);
  ASSERT_FALSE(child);
  EXPECT_EQ(child.error().kind, ErrorKind::failed);
}

TEST(Subprocess, InheritsNothingButWhatIsGiven) {
  SubprocessOptions options;
  options.arguments = {"/usr/bin/env"};
  options.environment = {"ONE=1", "TWO=two words"};
  EXPECT_EQ(output_of(options), "ONE=1\nTWO=two words\n");
}

TEST(Subprocess, RunsInItsWorkingFolder) {
  SubprocessOptions options = shell("pwd -P");
  options.working_folder = "/usr";
  EXPECT_EQ(output_of(options), "/usr\n");
}

TEST(Subprocess, StandardInputIsEmpty) {
  EXPECT_EQ(output_of(shell("cat; echo end")), "end\n");
}

TEST(Subprocess, LeadsAGroupOfItsOwn) {
  auto child = Subprocess::start(shell("echo $$; sleep 1000"));
  ASSERT_TRUE(child);
  EXPECT_EQ(first_number(*child), child->pid());
  EXPECT_EQ(::getpgid(child->pid()), child->pid());
  EXPECT_NE(::getpgrp(), child->pid());
}

TEST(Subprocess, AChildThatWritesMegabytesIsNeverBlocked) {
  SubprocessOptions options =
      shell("head -c 20000000 /dev/zero | tr '\\0' x; printf THE_END");
  options.output_tail_bytes = 1000;
  const std::string output = output_of(options);
  EXPECT_EQ(output, std::string(993, 'x') + "THE_END");
}

TEST(Subprocess, WaitEndsThoughTheChildWritesWithoutPause) {
  auto child = Subprocess::start(shell("yes"));
  ASSERT_TRUE(child);
  do {
    ASSERT_FALSE(child->wait(50));
  } while (child->output().empty());  // a busy machine starts it late
  EXPECT_EQ(child->kill().signal, SIGKILL);
  EXPECT_THAT(child->output(), HasSubstr("y\ny\n"));
}

TEST(Subprocess, WaitGivesUpAtItsTimeAndTheChildRunsOn) {
  auto child = Subprocess::start(shell("sleep 1000"));
  ASSERT_TRUE(child);
  const double start_ms = monotonic_ms();
  EXPECT_FALSE(child->wait(100));
  EXPECT_GE(monotonic_ms() - start_ms, 100.0);
  EXPECT_FALSE(child->wait(0));
  EXPECT_EQ(::kill(child->pid(), 0), 0);
  EXPECT_GT(child->resident_bytes(), 0);
  EXPECT_EQ(child->kill().signal, SIGKILL);
  EXPECT_EQ(child->resident_bytes(), 0);
}

TEST(Subprocess, KillReachesGrandchildren) {
  auto child = Subprocess::start(shell("sleep 1000 & echo $!; wait"));
  ASSERT_TRUE(child);
  const pid_t grandchild = first_number(*child);
  EXPECT_EQ(::kill(grandchild, 0), 0);
  child->kill();
  EXPECT_TRUE(ends_soon(grandchild));
}

TEST(Subprocess, NothingOfTheGroupOutlivesTheChild) {
  auto child = Subprocess::start(shell("sleep 1000 & echo $!"));
  ASSERT_TRUE(child);
  ASSERT_TRUE(child->wait(kLongEnoughMs));
  EXPECT_TRUE(ends_soon(std::stoi(child->output())));
}

TEST(Subprocess, ADescendantThatLeftTheGroupDoesNotHoldWaitUp) {
  // It keeps the output pipe open for as long as it lives.
  auto child = Subprocess::start(shell("setsid sleep 1000 & echo $!"));
  ASSERT_TRUE(child);
  ASSERT_TRUE(child->wait(kLongEnoughMs));
  ::kill(std::stoi(child->output()), SIGKILL);
}

TEST(Subprocess, DestructionKillsAndReaps) {
  pid_t pid = 0;
  {
    auto child = Subprocess::start(shell("sleep 1000"));
    ASSERT_TRUE(child);
    pid = child->pid();
  }
  EXPECT_EQ(::kill(pid, 0), -1);  // reaped: not even a zombie is left
  EXPECT_EQ(errno, ESRCH);
}

TEST(Subprocess, MovingHandsTheChildOver) {
  auto first = Subprocess::start(shell("sleep 1000"));
  auto second = Subprocess::start(shell("sleep 1000"));
  ASSERT_TRUE(first && second);
  const pid_t first_pid = first->pid();
  const pid_t second_pid = second->pid();
  *second = std::move(*first);
  EXPECT_EQ(second->pid(), first_pid);
  EXPECT_EQ(::kill(second_pid, 0), -1);
  EXPECT_EQ(::kill(first_pid, 0), 0);
  Subprocess third(std::move(*second));
  EXPECT_EQ(third.kill().signal, SIGKILL);
}

TEST(Subprocess, IgnoresTheParentsSignalSettings) {
  struct sigaction ignore{};
  struct sigaction before{};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &ignore, &before);
  sigset_t blocked;
  sigset_t old_mask;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &blocked, &old_mask);
  auto child = Subprocess::start(shell("kill -PIPE $$; echo alive"));
  auto other = Subprocess::start(shell("kill -TERM $$; echo alive"));
  ::pthread_sigmask(SIG_SETMASK, &old_mask, nullptr);
  ::sigaction(SIGPIPE, &before, nullptr);
  ASSERT_TRUE(child && other);
  EXPECT_EQ(child->wait(kLongEnoughMs)->signal, SIGPIPE);
  EXPECT_EQ(other->wait(kLongEnoughMs)->signal, SIGTERM);
}

#ifdef __linux__
std::vector<int> descriptors_in(const std::string& listing) {
  std::istringstream stream(listing);
  std::vector<int> numbers;
  for (int number = 0; stream >> number;) numbers.push_back(number);
  return numbers;
}
// Lists the shell's own descriptors; the glob is expanded by the shell, whose
// own handle on the folder is gone by then.
constexpr char kListDescriptors[] =
    "for fd in /proc/$$/fd/*; do n=${fd##*/}; "
    "if [ -e /proc/$$/fd/$n ]; then echo $n; fi; done";

TEST(Subprocess, ChildHoldsNoOtherDescriptors) {
  // Without O_CLOEXEC, as code of others opens files.
  const Fd careless(::open("/dev/null", O_RDONLY));
  const Fd high(::fcntl(careless.get(), F_DUPFD, 500));
  ASSERT_TRUE(high.valid());
  EXPECT_THAT(descriptors_in(output_of(shell(kListDescriptors))),
              ElementsAre(0, 1, 2));
}

TEST(Subprocess, KeptDescriptorsLieWhereTheyWereAskedFor) {
  SubprocessOptions options = shell(kListDescriptors);
  const Fd one(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  options.keep_fds = {{one.get(), 7}, {one.get(), 4}};
  EXPECT_THAT(descriptors_in(output_of(options)), ElementsAre(0, 1, 2, 4, 7));
}

TEST(Subprocess, KeptDescriptorsMayChangePlaces) {
  const auto pipe_with = [](const std::string& text) {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    const Fd writer(ends[1]);
    EXPECT_EQ(::write(writer.get(), text.data(), text.size()),
              static_cast<ssize_t>(text.size()));
    return Fd(ends[0]);
  };
  Fd first = pipe_with("first");
  Fd second = pipe_with("second");
  // The numbers in the child are one digit for every shell.
  const Fd three(first.get() == 3 ? first.release() : ::dup2(first.get(), 3));
  const Fd four(second.get() == 4 ? second.release() : ::dup2(second.get(), 4));
  SubprocessOptions options = shell("cat <&3; echo; cat <&4");
  options.keep_fds = {{3, 4}, {4, 3}};
  EXPECT_EQ(output_of(options), "second\nfirst");
}

TEST(Subprocess, RefusesDescriptorsThatClash) {
  SubprocessOptions options = shell("true");
  options.keep_fds = {{0, 5}, {0, 5}};
  EXPECT_FALSE(Subprocess::start(options));
  options.keep_fds = {{0, 1}};
  EXPECT_FALSE(Subprocess::start(options));
  options.keep_fds = {{987, 5}};
  EXPECT_FALSE(Subprocess::start(options));
}

TEST(Subprocess, LeaksNoDescriptors) {
  output_of(shell("true"));
  const std::size_t before = count_own_descriptors();
  for (int i = 0; i < 20; ++i) {
    output_of(shell("true"));
    auto killed = Subprocess::start(shell("sleep 1000"));
    ASSERT_TRUE(killed);
    killed->kill();
    SubprocessOptions missing;
    missing.arguments = {"/no/such/program"};
    EXPECT_FALSE(Subprocess::start(missing));
  }
  EXPECT_EQ(count_own_descriptors(), before);
}

TEST(Subprocess, ManyThreadsStartChildrenAtOnce) {
  // Every child must see its own pipe and nobody else's.
  std::vector<std::thread> threads;
  std::vector<std::string> wrong(8);
  for (std::size_t t = 0; t < wrong.size(); ++t) {
    threads.emplace_back([t, &wrong] {
      for (int i = 0; i < 10; ++i) {
        const std::string word =
            "t" + std::to_string(t) + "i" + std::to_string(i);
        auto child =
            Subprocess::start(shell("echo " + word + "; " + kListDescriptors));
        if (!child) {
          wrong[t] = child.error().message;
          return;
        }
        const auto status = child->wait(kLongEnoughMs);
        if (!status || !status->ok() ||
            child->output() != word + "\n0\n1\n2\n") {
          wrong[t] = child->output();
          return;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& text : wrong) EXPECT_EQ(text, "");
}
#endif

}  // namespace
}  // namespace evoke
