#include "evoke/store/run_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <span>
#include <thread>

namespace evoke {
namespace {

// holder() takes the lock for an instant, and a process that was just killed
// may still be on its way out.
constexpr int kAttempts = 20;
constexpr std::chrono::milliseconds kPause{10};

std::string lock_path(const std::string& run_folder) {
  return run_folder + "/lock";
}

}  // namespace

Result<RunLock> RunLock::take(const std::string& run_folder) {
  const std::string path = lock_path(run_folder);
  Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!fd.valid()) return failed(path + ": " + std::strerror(errno));
  for (int attempt = 1; ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0; ++attempt) {
    if (errno != EWOULDBLOCK && errno != EINTR) {
      return failed(path + ": lock: " + std::strerror(errno));
    }
    if (attempt >= kAttempts) {
      const auto text = read_file(path);
      const bool named = text && !text->empty();
      return failed(run_folder + ": another evoke" +
                    (named ? " (process " + *text + ")" : std::string()) +
                    " is writing this run; wait for it or stop it");
    }
    std::this_thread::sleep_for(kPause);
  }
  const std::string pid = std::to_string(::getpid());
  if (::ftruncate(fd.get(), 0) != 0 ||
      !write_all(fd.get(), std::as_bytes(std::span(pid)))) {
    // The pid is a courtesy to readers (a full disk may refuse it); the lock
    // holds without it.
  }
  return RunLock(std::move(fd));
}

Result<int64_t> RunLock::holder(const std::string& run_folder) {
  const std::string path = lock_path(run_folder);
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return absent(path + ": " + std::strerror(errno));
  if (::flock(fd.get(), LOCK_SH | LOCK_NB) == 0) {
    return absent(run_folder + ": nobody is writing this run");
  }
  const auto text = read_file(path);
  if (!text) return error_of(text);
  int64_t pid = 0;
  std::from_chars(text->data(), text->data() + text->size(), pid);
  return pid;
}

}  // namespace evoke
