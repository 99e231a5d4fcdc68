// The program itself, run as a user would.
#pragma once

#include <csignal>
#include <string>
#include <vector>

#include "evoke/base/json.h"
#include "evoke/base/subprocess.h"
#include "tests/support/temporary_folder.h"

namespace evoke::test {

constexpr const char* kPath = "PATH=/usr/local/bin:/usr/bin:/bin";

struct Ended {
  int code = 0;
  int signal = 0;
  std::string output;  // standard output and error
};

// A folder to work in, with a cache of its own.
class Desk {
 public:
  Desk();
  const std::string& folder() const { return folder_.path(); }
  std::string file(const std::string& name) const { return folder_.file(name); }
  void write(const std::string& name, const std::string& text) const;

  // Runs `evoke ARGUMENTS` there to its end.
  Ended run(const std::vector<std::string>& arguments) const;
  // What `evoke ARGUMENTS --json` printed; fails the test when it is no JSON.
  Json json(std::vector<std::string> arguments) const;
  Subprocess start(const std::vector<std::string>& arguments,
                   const std::string& program = {},
                   const std::string& path = kPath) const;
  // Waits until `evoke status RUN` knows at least so many steps.
  bool wait_for_steps(const std::string& run, int64_t steps) const;

  // The options of a search that takes seconds: a small workload, few pairs.
  std::vector<std::string> small_search(const std::string& run,
                                        int iterations) const;

 private:
  TemporaryFolder folder_;
};

}  // namespace evoke::test
