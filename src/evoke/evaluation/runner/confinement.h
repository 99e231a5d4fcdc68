// Walls around a runner process. Each holds by itself; what this system does
// not have is left out and said so in the record, never silently.
//
//   execute   (candidates' native code) no file can be opened for writing and
//             next to none for reading, no process or thread started, no
//             socket made, nobody traced; any other system call ends the
//             process
//   compile   may start the compiler; reads system folders, writes its private
//             folder, has no network
//   baseline, measure   our own code: no network, no programs
//
// On a GPU a candidate is no code of this processor: `execute` is our own code
// and the driver's there, which need files and system calls that no list
// foresees, and is held like `baseline`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "evoke/base/json.h"
#include "evoke/evaluation/protocol/messages.h"

namespace evoke::runner {

struct ConfinementOptions {
  protocol::Role role = protocol::Role::execute;
  std::string private_folder;  // compile: the one place that may be written
  std::vector<std::string> readable;  // more folders to read and run from
  int64_t cpu_seconds = 0;            // of this process; 0: no limit
  bool gpu = false;                   // the device is one
};

class Confinement {
 public:
  explicit Confinement(ConfinementOptions options);

  // Before any thread is started: threads inherit it. No new privileges, end
  // with the parent, resource limits, files.
  void enter();
  // Once everything is open and all threads run: system calls, for all of
  // them at once; for execute the last files too.
  void seal();

  // One entry per wall: true, false, a number or a short text.
  const Json& record() const { return record_; }

 private:
  ConfinementOptions options_;
  Json record_ = Json::object();
};

}  // namespace evoke::runner
