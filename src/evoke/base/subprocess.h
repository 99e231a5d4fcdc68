// A child process in a process group of its own. Passive: whoever owns it
// decides how long to wait. Destroying a running one kills its whole group
// and reaps it; when one ends by itself, what is left of its group is killed.
//
// Safe in programs with many threads: start() may be called from any of them.
// One object belongs to one thread at a time.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/base/fd.h"

namespace evoke {

struct SubprocessOptions {
  // arguments[0] is the program's path; PATH is not searched.
  std::vector<std::string> arguments;
  // "NAME=value"; nothing is inherited.
  std::vector<std::string> environment;
  std::string working_folder;  // empty: the parent's
  // Descriptors the child keeps: (parent's fd, number in the child). All
  // others are closed. Standard input is /dev/null.
  std::vector<std::pair<int, int>> keep_fds;
  // Standard output and error go into one pipe, of which the last
  // `output_tail_bytes` are kept.
  std::size_t output_tail_bytes = 64 * 1024;
};

struct ExitStatus {
  int code = 0;    // exit code when signal == 0
  int signal = 0;  // terminating signal, or 0
  bool ok() const { return code == 0 && signal == 0; }
};

class Subprocess {
 public:
  // `absent`: there is no such program.
  static Result<Subprocess> start(const SubprocessOptions& options);

  Subprocess(Subprocess&&) noexcept;
  Subprocess& operator=(Subprocess&&) noexcept;
  ~Subprocess();

  pid_t pid() const { return pid_; }
  // Waits for the end, draining the output; empty when `timeout_ms` passed
  // first (the child then still runs). Negative: waits for ever.
  std::optional<ExitStatus> wait(int64_t timeout_ms);
  // SIGKILL to the group, then reaps.
  ExitStatus kill();
  // Resident bytes of the child itself (not its children); 0 once it ended.
  int64_t resident_bytes() const;
  // What was captured so far; call after wait() or kill().
  const std::string& output();

 private:
  Subprocess() = default;
  void drain();
  std::optional<ExitStatus> reap(bool block);
  pid_t pid_ = -1;
  Fd pid_fd_;  // readable once the child has ended; invalid where unknown
  Fd output_pipe_;
  std::string output_;
  std::size_t output_tail_bytes_ = 0;
  std::optional<ExitStatus> status_;
};

}  // namespace evoke
