// Tools of a device's maker that watch kernels while they run: NVIDIA's
// compute-sanitizer, Metal's shader validation. A runner under one is slow
// and never timed.
#pragma once

#include <compare>
#include <string>
#include <vector>

#include "evoke/base/subprocess.h"

namespace evoke::protocol {
struct Greeting;
}

namespace evoke::judge {

struct ValidationTool {
  std::string name;                      // "memcheck"
  std::vector<std::string> launcher;     // before the runner's command line
  std::vector<std::string> environment;  // of the runner, "NAME=value"
  auto operator<=>(const ValidationTool&) const = default;
};

// What watches kernels on the device that greeted, as far as it is installed.
std::vector<ValidationTool> validation_tools(const protocol::Greeting& device);
// compute-sanitizer's program, or empty. Looked for in EVOKE_CUDA_BIN,
// CUDA_HOME, CUDA_PATH, VIRTUAL_ENV (the wheel nvidia-cuda-sanitizer-api) and
// /usr/local/cuda.
std::string find_compute_sanitizer();

// How a runner under a tool ended, and what both printed.
struct WatchedEnd {
  ExitStatus status;
  std::string output;
};
// What the tool complained of, a few lines fit for a prompt; empty: nothing.
std::string complaint_of(const ValidationTool& tool, const WatchedEnd& end);

}  // namespace evoke::judge
