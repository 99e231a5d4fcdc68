#include "evoke/store/run_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <span>

namespace evoke {

Result<RunLock> RunLock::take(const std::string& run_folder) {
  const std::string path = run_folder + "/lock";
  Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!fd.valid()) return failed(path + ": " + std::strerror(errno));
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    const auto holder = read_file(path);
    return failed(run_folder + ": another evoke" +
                  (holder && !holder->empty() ? " (process " + *holder + ")"
                                              : std::string()) +
                  " writes this run; wait for it or stop it");
  }
  const std::string pid = std::to_string(::getpid());
  if (::ftruncate(fd.get(), 0) != 0 ||
      !write_all(fd.get(), std::as_bytes(std::span(pid)))) {
    // The pid is a courtesy to readers; the lock holds without it.
  }
  return RunLock(std::move(fd));
}

}  // namespace evoke
