// One writer per run directory, between processes: a lock that dies with the
// process that holds it.
#pragma once

#include <string>
#include <utility>

#include "evoke/base/error.h"
#include "evoke/base/fd.h"

namespace evoke {

class RunLock {
 public:
  // `failed` names the process that holds it.
  static Result<RunLock> take(const std::string& run_folder);
  // The process that holds it now; `absent`: nobody does.
  static Result<int64_t> holder(const std::string& run_folder);

 private:
  explicit RunLock(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace evoke
