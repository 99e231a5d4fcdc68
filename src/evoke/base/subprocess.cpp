#include "evoke/base/subprocess.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "evoke/base/clock.h"

namespace evoke {
namespace {

// Where the kernel has no pidfd, the end of the child is looked for this
// often.
constexpr int64_t kPollSliceMs = 5;

// The child is made by posix_spawn: the C library does what has to happen
// between fork and exec without touching locks that another thread may hold,
// copies no page tables, and reports a failed exec to the parent.
class SpawnAttributes {
 public:
  SpawnAttributes() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
  }
  ~SpawnAttributes() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnAttributes(const SpawnAttributes&) = delete;
  SpawnAttributes& operator=(const SpawnAttributes&) = delete;

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
};

std::vector<char*> pointers_to(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (std::string& text : strings) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

Result<std::pair<Fd, Fd>> make_pipe() {
  int ends[2] = {-1, -1};
#ifdef __linux__
  const int code = ::pipe2(ends, O_CLOEXEC);
#else
  const int code = ::pipe(ends);
#endif
  if (code != 0) return failed(std::string("pipe: ") + std::strerror(errno));
  std::pair<Fd, Fd> pipe{Fd(ends[0]), Fd(ends[1])};
  for (const int end : ends) ::fcntl(end, F_SETFD, FD_CLOEXEC);
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return pipe;
}

// Closes every descriptor of the child from `first` upwards.
int add_close_from(SpawnAttributes& spawn, int first) {
#if defined(__GLIBC__) && \
    (__GLIBC__ > 2 || (__GLIBC__ == 2 && __GLIBC_MINOR__ >= 34))
  return posix_spawn_file_actions_addclosefrom_np(&spawn.actions, first);
#else
  const long limit = std::min(::sysconf(_SC_OPEN_MAX), 65536L);
  for (int fd = first; fd < limit; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0) continue;
    const int code = posix_spawn_file_actions_addclose(&spawn.actions, fd);
    if (code != 0) return code;
  }
  return 0;
#endif
}

// Puts the child's descriptors in place: 0 is /dev/null, 1 and 2 the pipe,
// the kept ones at their numbers, nothing else. `held` keeps the copies that
// the child is made from open until it exists.
Result<void> add_descriptors(SpawnAttributes& spawn, int output,
                             const std::vector<std::pair<int, int>>& keep,
                             std::vector<Fd>& held) {
  std::vector<std::pair<int, int>> wanted{{output, 1}, {output, 2}};
  wanted.insert(wanted.end(), keep.begin(), keep.end());
  int highest = 2;
  for (const auto& [from, to] : wanted) highest = std::max(highest, to);

  // Sources move above every target first, so that no target overwrites the
  // source of another one.
  std::vector<bool> taken(static_cast<std::size_t>(highest) + 1, false);
  taken[0] = true;
  int code = posix_spawn_file_actions_addopen(&spawn.actions, 0, "/dev/null",
                                              O_RDONLY, 0);
  for (const auto& [from, to] : wanted) {
    if (to < 1 || taken[static_cast<std::size_t>(to)]) {
      return failed("descriptor " + std::to_string(to) +
                    " of the child is asked for twice or reserved");
    }
    taken[static_cast<std::size_t>(to)] = true;
    held.emplace_back(::fcntl(from, F_DUPFD_CLOEXEC, highest + 1));
    if (!held.back().valid()) {
      return failed("descriptor " + std::to_string(from) + ": " +
                    std::strerror(errno));
    }
    if (code == 0) {
      code = posix_spawn_file_actions_adddup2(&spawn.actions, held.back().get(),
                                              to);
    }
  }
  for (int fd = 3; fd < highest && code == 0; ++fd) {
    if (!taken[static_cast<std::size_t>(fd)]) {
      code = posix_spawn_file_actions_addclose(&spawn.actions, fd);
    }
  }
  if (code == 0) code = add_close_from(spawn, highest + 1);
  if (code != 0) return failed(std::strerror(code));
  return {};
}

// A process group of its own, no blocked signals, nothing ignored.
int set_attributes(SpawnAttributes& spawn) {
  sigset_t none;
  sigemptyset(&none);
  sigset_t defaults;
  sigemptyset(&defaults);
  for (const int signal :
       {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD, SIGALRM, SIGUSR1,
        SIGUSR2, SIGTTIN, SIGTTOU, SIGTSTP}) {
    sigaddset(&defaults, signal);
  }
  int code = posix_spawnattr_setflags(
      &spawn.attributes,
      POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  if (code == 0) code = posix_spawnattr_setpgroup(&spawn.attributes, 0);
  if (code == 0) code = posix_spawnattr_setsigmask(&spawn.attributes, &none);
  if (code == 0) {
    code = posix_spawnattr_setsigdefault(&spawn.attributes, &defaults);
  }
  return code;
}

Fd open_pid_fd(pid_t pid) {
#ifdef SYS_pidfd_open
  return Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
#else
  (void)pid;
  return Fd();
#endif
}

ExitStatus status_of(const siginfo_t& info) {
  if (info.si_code == CLD_EXITED) return {info.si_status, 0};
  return {0, info.si_status};
}

}  // namespace

Result<Subprocess> Subprocess::start(const SubprocessOptions& options) {
  if (options.arguments.empty()) {
    throw UsageError(
        "[Subprocess::start] no program given. arguments[0] is its path.");
  }
  std::vector<std::string> arguments = options.arguments;
  std::vector<std::string> environment = options.environment;
  std::error_code ignored;
  const std::string program =
      std::filesystem::absolute(arguments[0], ignored).string();
  const auto fail = [&](const std::string& why) {
    return failed("cannot start " + options.arguments[0] + ": " + why);
  };

  auto pipe = make_pipe();
  if (!pipe) return fail(pipe.error().message);
  SpawnAttributes spawn;
  std::vector<Fd> held;
  int code = set_attributes(spawn);
  if (code == 0 && !options.working_folder.empty()) {
    code = posix_spawn_file_actions_addchdir_np(&spawn.actions,
                                                options.working_folder.c_str());
  }
  if (code != 0) return fail(std::strerror(code));
  if (const auto placed =
          add_descriptors(spawn, pipe->second.get(), options.keep_fds, held);
      !placed) {
    return fail(placed.error().message);
  }

  Subprocess child;
  child.output_tail_bytes_ = options.output_tail_bytes;
  code = ::posix_spawn(&child.pid_, program.c_str(), &spawn.actions,
                       &spawn.attributes, pointers_to(arguments).data(),
                       pointers_to(environment).data());
  if (code != 0) {
    child.pid_ = -1;
    std::error_code status;
    if (code == ENOENT && !std::filesystem::exists(program, status)) {
      return absent(program + ": " + std::strerror(code));
    }
    return fail(std::strerror(code));
  }
  child.output_pipe_ = std::move(pipe->first);
  child.pid_fd_ = open_pid_fd(child.pid_);
  return child;
}

Subprocess::Subprocess(Subprocess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pid_fd_(std::move(other.pid_fd_)),
      output_pipe_(std::move(other.output_pipe_)),
      output_(std::move(other.output_)),
      output_tail_bytes_(other.output_tail_bytes_),
      status_(other.status_) {}

Subprocess& Subprocess::operator=(Subprocess&& other) noexcept {
  if (this != &other) {
    if (pid_ > 0 && !status_) kill();
    pid_ = std::exchange(other.pid_, -1);
    pid_fd_ = std::move(other.pid_fd_);
    output_pipe_ = std::move(other.output_pipe_);
    output_ = std::move(other.output_);
    output_tail_bytes_ = other.output_tail_bytes_;
    status_ = other.status_;
  }
  return *this;
}

Subprocess::~Subprocess() {
  if (pid_ > 0 && !status_) kill();
}

// Reads what lies in the pipe, without waiting and with an end: a child that
// writes without pause cannot hold its owner here.
void Subprocess::drain() {
  constexpr int kMostReads = 64;
  std::array<char, 65536> buffer;
  for (int i = 0; i < kMostReads && output_pipe_.valid(); ++i) {
    const ssize_t n = ::read(output_pipe_.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
      output_pipe_.close();
      return;
    }
    output_.append(buffer.data(), static_cast<std::size_t>(n));
    if (output_.size() > output_tail_bytes_ + buffer.size()) {
      output_.erase(0, output_.size() - output_tail_bytes_);
    }
  }
}

// Empty while the child runs (never with `block`). The dead child is looked
// at before it is reaped: until then its process group cannot be anybody
// else's, and what is left of the group is killed.
std::optional<ExitStatus> Subprocess::reap(bool block) {
  siginfo_t info{};
  int code = 0;
  do {
    code = ::waitid(P_PID, static_cast<id_t>(pid_), &info,
                    WEXITED | WNOWAIT | (block ? 0 : WNOHANG));
  } while (code != 0 && errno == EINTR);
  if (code == 0 && info.si_pid == 0) return std::nullopt;
  if (code != 0) {
    // Only possible when somebody else reaped it or SIGCHLD is ignored.
    status_ = ExitStatus{127, 0};
    return status_;
  }
  ::kill(-pid_, SIGKILL);
  status_ = status_of(info);
  while (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED) != 0 &&
         errno == EINTR) {
  }
  drain();
  output_pipe_.close();
  pid_fd_.close();
  return status_;
}

std::optional<ExitStatus> Subprocess::wait(int64_t timeout_ms) {
  if (status_) return status_;
  const int64_t start_ns = monotonic_ns();
  for (;;) {
    drain();
    if (const auto status = reap(/*block=*/false)) return status;
    int64_t slice_ms = pid_fd_.valid() ? 60'000 : kPollSliceMs;
    if (timeout_ms >= 0) {
      const int64_t passed_ms = (monotonic_ns() - start_ns) / 1'000'000;
      if (passed_ms >= timeout_ms) return std::nullopt;
      slice_ms = std::min(slice_ms, timeout_ms - passed_ms);
    }
    // poll() ignores entries whose descriptor is negative.
    std::array<pollfd, 2> events{
        {{output_pipe_.get(), POLLIN, 0}, {pid_fd_.get(), POLLIN, 0}}};
    ::poll(events.data(), events.size(), static_cast<int>(slice_ms));
  }
}

ExitStatus Subprocess::kill() {
  if (status_) return *status_;
  ::kill(-pid_, SIGKILL);
  return *reap(/*block=*/true);
}

int64_t Subprocess::resident_bytes() const {
  if (pid_ <= 0 || status_) return 0;
  const auto text = read_file("/proc/" + std::to_string(pid_) + "/statm");
  if (!text) return 0;
  long long total_pages = 0;
  long long resident_pages = 0;
  if (std::sscanf(text->c_str(), "%lld %lld", &total_pages, &resident_pages) !=
      2) {
    return 0;
  }
  return resident_pages * ::sysconf(_SC_PAGESIZE);
}

const std::string& Subprocess::output() {
  if (pid_ > 0 && !status_) drain();
  if (output_.size() > output_tail_bytes_) {
    output_.erase(0, output_.size() - output_tail_bytes_);
  }
  return output_;
}

}  // namespace evoke
