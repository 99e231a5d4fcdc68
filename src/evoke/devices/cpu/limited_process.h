// A child process under limits of time, memory and output.
#pragma once

#include <cstdint>
#include <string>

#include "evoke/base/error.h"
#include "evoke/base/subprocess.h"

namespace evoke::cpu {

struct ProcessLimits {
  int64_t time_ms = 10'000;
  int64_t memory_bytes = int64_t{2} << 30;    // of all its processes together
  int64_t folder_bytes = int64_t{256} << 20;  // of `watched_folder`
  std::string watched_folder;                 // empty: not watched
};

struct ProcessReply {
  ExitStatus status;
  std::string output;
  // Which limit ended it: "10 seconds", "2048 MB of memory", "256 MB of
  // files"; empty when none did.
  std::string limit;
};

// Errors only when the process cannot be started.
Result<ProcessReply> run_limited(const SubprocessOptions& options,
                                 const ProcessLimits& limits);

// Resident bytes of a process and of all its descendants; 0 where the system
// does not tell.
int64_t tree_resident_bytes(int pid);

}  // namespace evoke::cpu
