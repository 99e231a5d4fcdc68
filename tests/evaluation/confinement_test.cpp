// Each wall is tried by itself: what it forbids fails or ends the process,
// and what a runner needs still works.
#include "evoke/evaluation/runner/confinement.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "tests/evaluation/confined_process.h"
#include "tests/support/temporary_folder.h"

namespace evoke::runner {
namespace {

using protocol::Role;
using test::ChildEnd;
using test::run_confined;

constexpr int kHeld = 10;  // exit code: it could not be done
constexpr int kBroken = 11;

// Raw calls: the C library's wrappers may do other things first.
int try_open(const char* path, int flags) {
  const long fd = ::syscall(SYS_openat, AT_FDCWD, path, flags, 0600);
  return fd < 0 ? kHeld : kBroken;
}

ConfinementOptions execute() { return {Role::execute, "", {}, 0}; }

// Some files of /proc open and then give nothing.
int try_read(const char* path) {
  const long fd = ::syscall(SYS_openat, AT_FDCWD, path, O_RDONLY, 0);
  if (fd < 0) return kHeld;
  char byte = 0;
  return ::syscall(SYS_read, fd, &byte, 1) == 1 ? kBroken : kHeld;
}

bool was_stopped(const ChildEnd& end) {
  return end.signal == SIGSYS || end.exit_code == kHeld;
}

#if defined(__linux__)

TEST(ExecuteWall, ComputesAndAnswers) {
  const ChildEnd end = run_confined(execute(), [] {
    std::string text(1 << 20, 'x');
    void* memory = ::mmap(nullptr, 1 << 20, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return 1;
    return text.size() == 1 << 20 ? 0 : 1;
  });
  EXPECT_EQ(end.exit_code, 0) << "signal " << end.signal;
}

TEST(ExecuteWall, StopsWritingFiles) {
  test::TemporaryFolder folder;
  const std::string path = folder.file("written");
  const ChildEnd end = run_confined(
      execute(), [&] { return try_open(path.c_str(), O_WRONLY | O_CREAT); });
  EXPECT_TRUE(was_stopped(end)) << end.exit_code;
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(ExecuteWall, StopsReadingFiles) {
  test::TemporaryFolder folder;
  const std::string path = folder.file("secret");
  std::ofstream(path) << "the answer";
  const ChildEnd end =
      run_confined(execute(), [&] { return try_open(path.c_str(), O_RDONLY); });
  EXPECT_EQ(end.exit_code, kHeld) << "signal " << end.signal;
}

TEST(ExecuteWall, StopsReadingTheParent) {
  const std::string path = "/proc/" + std::to_string(::getpid()) + "/environ";
  const ChildEnd end =
      run_confined(execute(), [&] { return try_open(path.c_str(), O_RDONLY); });
  EXPECT_EQ(end.exit_code, kHeld);
}

TEST(ExecuteWall, StopsForks) {
  const ChildEnd end = run_confined(execute(), [] {
    return ::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) < 0 ? kHeld : kBroken;
  });
  EXPECT_TRUE(was_stopped(end));
}

TEST(ExecuteWall, StopsPrograms) {
  const ChildEnd end = run_confined(execute(), [] {
    const char* arguments[] = {"/bin/true", nullptr};
    ::syscall(SYS_execve, "/bin/true", arguments, nullptr);
    return kHeld;
  });
  EXPECT_TRUE(was_stopped(end));
}

TEST(ExecuteWall, StopsSockets) {
  const ChildEnd end = run_confined(execute(), [] {
    return ::socket(AF_INET, SOCK_DGRAM, 0) < 0 ? kHeld : kBroken;
  });
  EXPECT_TRUE(was_stopped(end));
}

TEST(ExecuteWall, StopsTracing) {
  const pid_t parent = ::getpid();
  const ChildEnd end = run_confined(execute(), [parent] {
    return ::ptrace(PTRACE_ATTACH, parent, nullptr, nullptr) < 0 ? kHeld
                                                                 : kBroken;
  });
  EXPECT_TRUE(was_stopped(end));
}

TEST(ExecuteWall, StopsSignallingOthers) {
  const pid_t parent = ::getpid();
  const ChildEnd end = run_confined(execute(), [parent] {
    return ::kill(parent, SIGUSR1) != 0 ? kHeld : kBroken;
  });
  EXPECT_TRUE(was_stopped(end));
}

TEST(ExecuteWall, StopsNewThreads) {
  const ChildEnd end = run_confined(execute(), [] {
    pthread_t thread{};
    const auto nothing = [](void*) -> void* { return nullptr; };
    return ::pthread_create(&thread, nullptr, nothing, nullptr) != 0 ? kHeld
                                                                     : kBroken;
  });
  EXPECT_TRUE(was_stopped(end));
}

// Threads that exist before the walls go up stand behind them as well.
TEST(ExecuteWall, HoldsInOlderThreads) {
  std::atomic<int> state{0};
  const ChildEnd end = run_confined(
      execute(),
      [&] {
        state = 1;
        while (state == 1) {
        }
        return state == 2 ? kBroken : kHeld;
      },
      [&] {
        std::thread([&] {
          while (state == 0) {
          }
          state = ::socket(AF_INET, SOCK_STREAM, 0) < 0 ? 3 : 2;
        }).detach();
      });
  EXPECT_TRUE(was_stopped(end));
}

TEST(ExecuteWall, MayEndItself) {
  const ChildEnd end = run_confined(execute(), []() -> int { ::abort(); });
  EXPECT_EQ(end.signal, SIGABRT);
}

TEST(ExecuteWall, ProcessorTimeEnds) {
  ConfinementOptions options = execute();
  options.cpu_seconds = 1;
  const ChildEnd end = run_confined(options, [] {
    std::atomic<bool> forever{true};
    while (forever) {
    }
    return 0;
  });
  EXPECT_TRUE(end.signal == SIGXCPU || end.signal == SIGKILL) << end.signal;
}

ConfinementOptions compile(const std::string& folder) {
  return {Role::compile, folder, {}, 0};
}

TEST(CompileWall, WritesItsFolderAndNothingElse) {
  test::TemporaryFolder own;
  test::TemporaryFolder other;
  const std::string inside = own.file("a");
  const std::string outside = other.file("b");
  ChildEnd end = run_confined(compile(own.path()), [&] {
    return try_open(inside.c_str(), O_WRONLY | O_CREAT);
  });
  EXPECT_EQ(end.exit_code, kBroken);  // which is right here
  end = run_confined(compile(own.path()), [&] {
    return try_open(outside.c_str(), O_WRONLY | O_CREAT);
  });
  EXPECT_EQ(end.exit_code, kHeld);
}

TEST(CompileWall, CannotReadWhatIsNotTheSystems) {
  test::TemporaryFolder own;
  test::TemporaryFolder other;
  const std::string path = other.file("secret");
  std::ofstream(path) << "the answer";
  const ChildEnd end = run_confined(
      compile(own.path()), [&] { return try_open(path.c_str(), O_RDONLY); });
  EXPECT_EQ(end.exit_code, kHeld);
}

TEST(CompileWall, CannotReadTheParentsMemoryOrEnvironment) {
  test::TemporaryFolder own;
  const std::string process = "/proc/" + std::to_string(::getpid());
  for (const std::string name : {"/environ", "/mem", "/maps"}) {
    const std::string path = process + name;
    const ChildEnd end = run_confined(compile(own.path()),
                                      [&] { return try_read(path.c_str()); });
    EXPECT_EQ(end.exit_code, kHeld) << path;
  }
}

TEST(CompileWall, StartsProgramsWithoutNetworkOrTracing) {
  test::TemporaryFolder own;
  ChildEnd end = run_confined(compile(own.path()), [] {
    const pid_t child = ::fork();
    if (child == 0) {
      ::execl("/bin/true", "true", nullptr);
      ::_exit(1);
    }
    int status = 1;
    ::waitpid(child, &status, 0);
    return status == 0 ? 0 : 1;
  });
  EXPECT_EQ(end.exit_code, 0);
  end = run_confined(compile(own.path()), [] {
    return ::socket(AF_INET, SOCK_STREAM, 0) < 0 ? kHeld : kBroken;
  });
  EXPECT_EQ(end.exit_code, kHeld);
  end = run_confined(compile(own.path()), [] {
    return ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) < 0 ? kHeld : kBroken;
  });
  EXPECT_EQ(end.exit_code, kHeld);
  end = run_confined(compile(own.path()), [] {
    return ::syscall(SYS_unshare, 0x10000000) < 0 ? kHeld : kBroken;
  });
  EXPECT_EQ(end.exit_code, kHeld);
}

TEST(BaselineWall, HasNoNetworkAndStartsNothing) {
  const ConfinementOptions options{Role::baseline, "", {}, 0};
  ChildEnd end = run_confined(options, [] {
    return ::socket(AF_INET, SOCK_STREAM, 0) < 0 ? kHeld : kBroken;
  });
  EXPECT_EQ(end.exit_code, kHeld);
  end = run_confined(options, [] {
    ::execl("/bin/true", "true", nullptr);
    return errno == EPERM ? kHeld : kBroken;
  });
  EXPECT_EQ(end.exit_code, kHeld);
}

#endif  // __linux__

}  // namespace
}  // namespace evoke::runner
