// A runner process from start to end: open the device or baseline, go behind
// the walls, answer the judge. docs/runner-protocol.md.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "evoke/evaluation/protocol/messages.h"

namespace evoke::runner {

struct RunnerOptions {
  protocol::Role role = protocol::Role::execute;
  std::string device = "cpu";  // compile, execute
  std::string baseline;        // baseline
  int num_threads = 0;         // 0: one per core
  std::string private_folder;  // compile
  std::vector<std::string> readable;
  int64_t cpu_seconds = 0;
  int fd = 3;  // the connection to the judge
};

// Gives the exit code. Throws StartupError when the device or baseline cannot
// be had, or its error travels to the judge as the answer to hello.
int run(const RunnerOptions& options);

}  // namespace evoke::runner
