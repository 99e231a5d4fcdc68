// Runners and bad runners for tests, and a look at their processes.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <cerrno>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "evoke/evaluation/judge/runner.h"
#include "tests/support/comes_true.h"

namespace evoke::test {

inline constexpr int64_t kTimeoutMs = 20'000;

inline judge::RunnerSpec spec_of(protocol::Role role,
                                 const std::string& device = "cpu") {
  judge::RunnerSpec spec;
  spec.role = role;
  spec.device = device;
  spec.num_threads = 2;
  return spec;
}

// bad_runner.cpp lists the behaviours. It has greeted.
inline judge::RunnerResult<std::unique_ptr<judge::Runner>> start_bad(
    const std::string& behaviour, judge::RunnerLimits limits = {}) {
  auto runner = judge::Runner::start(
      EVOKE_BAD_RUNNER_PATH, spec_of(protocol::Role::execute, behaviour),
      limits, /*shared_memory=*/true);
  if (!runner) return runner;
  if (auto greeted = (*runner)->greet(); !greeted) {
    return judge::fault_of(greeted);
  }
  return runner;
}

inline bool is_alive(pid_t pid) {
  return ::kill(pid, 0) == 0 || errno != ESRCH;
}

// 'R' runs, 'S' sleeps, 'T' stands still, 'Z' has ended; '?' is not there.
inline char state_of(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(status, text);
  const std::size_t at = text.find(") ");
  return at == std::string::npos ? '?' : text[at + 2];
}

// Its orphans may have to be reaped first.
inline bool ends(pid_t pid) {
  return comes_true([&] { return !is_alive(pid) || state_of(pid) == 'Z'; });
}

inline std::vector<pid_t> children_of(pid_t pid) {
  const std::string id = std::to_string(pid);
  std::ifstream file("/proc/" + id + "/task/" + id + "/children");
  std::vector<pid_t> children;
  for (pid_t child = 0; file >> child;) children.push_back(child);
  return children;
}

}  // namespace evoke::test
