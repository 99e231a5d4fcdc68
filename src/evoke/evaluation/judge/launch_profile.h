// What a profiler saw of single kernel launches: NVIDIA's Nsight Compute, as
// its command line tool prints it (`ncu --csv`).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/base/json.h"

namespace evoke::judge {

// Why warps waited, and how many of them on average at every instruction that
// was issued: "long_scoreboard" (global memory), "barrier", "wait", ...
struct StallReason {
  std::string name;
  double warps = 0;
};

// One launch. What the profiler did not give is empty. Percentages are of
// what the device can sustain.
struct LaunchProfile {
  std::string kernel;  // as the program calls it
  std::optional<double> duration_us;
  std::optional<double> compute_percent;
  std::optional<double> memory_percent;  // of the busiest part of the way
  std::optional<double> dram_percent;
  std::optional<double> dram_read_bytes;
  std::optional<double> dram_written_bytes;
  std::optional<double> l2_bytes;
  std::optional<double> l2_hit_percent;
  std::optional<double> occupancy_percent;  // achieved
  std::vector<StallReason> stalls;          // the three worst, worst first
};

// From all that the tool printed, in the order of the launches; lines that are
// no CSV are passed over. Takes both of the tool's forms: a row for each
// metric (`Metric Name`, `Metric Value`), and a column for each
// (`--page raw`). `failed`: there is no launch in it; in the tool's own words
// where it has any.
Result<std::vector<LaunchProfile>> read_launch_profiles(std::string_view text);

// One row per launch; keys are the names above.
Json to_json(const std::vector<LaunchProfile>& launches);

}  // namespace evoke::judge
