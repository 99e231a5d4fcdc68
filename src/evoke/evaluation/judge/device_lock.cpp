#include "evoke/evaluation/judge/device_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <thread>
#include <utility>

namespace evoke::judge {
namespace {

constexpr auto kFirstPause = std::chrono::microseconds(100);
constexpr auto kLongestPause = std::chrono::microseconds(1500);

// flock() belongs to the open file, so every claim opens its own: the same
// call then works between threads and between processes.
Fd open_file(const std::string& path) {
  return Fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
}

// False when `stop` said so first.
bool lock(const Fd& fd, int operation, const std::function<bool()>& stop) {
  auto pause = kFirstPause;
  while (::flock(fd.get(), operation | LOCK_NB) != 0) {
    if (stop()) return false;
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, kLongestPause);
  }
  return true;
}

}  // namespace

std::string runtime_folder() {
  const char* folder = std::getenv("XDG_RUNTIME_DIR");
  if (folder && *folder) return std::string(folder) + "/evoke";
  return "/tmp/evoke-" + std::to_string(::getuid());
}

Result<DeviceLock> DeviceLock::open(const std::string& folder,
                                    const std::string& device) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  ::chmod(folder.c_str(), 0700);
  struct stat status{};
  if (::stat(folder.c_str(), &status) != 0 || status.st_uid != ::getuid()) {
    return failed("cannot use " + folder +
                  " for lock files: it belongs to somebody else; set "
                  "XDG_RUNTIME_DIR to a folder of yours");
  }
  const std::string path = folder + "/" + device + ".lock";
  for (const std::string& file : {path, path + ".turn"}) {
    if (!open_file(file).valid()) {
      return failed("cannot make the lock file " + file + ": " +
                    std::strerror(errno));
    }
  }
  return DeviceLock(path);
}

// The turnstile is held only while entering, by an exclusive claim for as
// long as it waits: nobody new comes in behind it.
std::optional<DeviceLock::Claim> DeviceLock::acquire(
    bool exclusive, const std::function<bool()>& stop) const {
  const Fd turnstile = open_file(path_ + ".turn");
  Fd file = open_file(path_);
  if (!lock(turnstile, LOCK_EX, stop)) return std::nullopt;
  if (!lock(file, exclusive ? LOCK_EX : LOCK_SH, stop)) return std::nullopt;
  return Claim(std::move(file));
}

// Or somebody passes the turnstile just now, which does no harm.
bool DeviceLock::claim_waits() const {
  const Fd turnstile = open_file(path_ + ".turn");
  return ::flock(turnstile.get(), LOCK_SH | LOCK_NB) != 0;
}

std::optional<DeviceLock::Claim> DeviceLock::share(
    const std::function<bool()>& stop) const {
  ++*waiting_shares_;
  auto share = acquire(/*exclusive=*/false, stop);
  --*waiting_shares_;
  return share;
}

std::optional<DeviceLock::Claim> DeviceLock::claim(
    const std::function<bool()>& stop) const {
  return acquire(/*exclusive=*/true, stop);
}

}  // namespace evoke::judge
