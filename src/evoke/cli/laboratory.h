// A problem, a workload and a bench to judge kernels on, or several for a
// search on several GPUs: what evolve, verify and bench begin with.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "evoke/cli/context.h"
#include "evoke/cli/kernel_file.h"
#include "evoke/core/problem.h"
#include "evoke/evaluation/judge/race_track.h"
#include "evoke/evaluation/judge/runner_fault.h"
#include "evoke/evaluation/judge/workbench.h"

namespace evoke::cli {

struct Laboratory {
  std::string device;
  std::unique_ptr<Problem> problem;
  Workload workload;
  std::unique_ptr<judge::Workbench> bench;
  // Of a search on several GPUs: those after the first, of its kind. They
  // share its answers.
  std::vector<std::unique_ptr<judge::Workbench>> others;

  // All of them, the first one first.
  std::vector<judge::Workbench*> benches() const;
};

// Throws StartupError: no such device or workload, no runner, no compiler.
Laboratory open_laboratory(const Context& context, const std::string& device,
                           const std::string& workload, int spare_runners);
Laboratory open_laboratory(const Context& context, const std::string& device,
                           Workload workload, int spare_runners);

// As above, on all devices that are named ("cuda:0,cuda:1", "cuda:all").
// Spares are over all of them. Throws StartupError also when they are not
// alike.
Laboratory open_search_laboratory(const Context& context,
                                  const std::string& devices,
                                  const std::string& workload,
                                  int spare_runners);

// The laboratory's workload without the shapes that the kernel has no variant
// for; their names go to `left_out`. Throws StartupError: nothing is left.
Workload covered_part(const Laboratory& laboratory, const KernelFile& file,
                      std::vector<std::string>& left_out);

// The baselines that answer here, opened on this track; those that do not
// are named in `missing` with the reason.
struct Baselines {
  std::vector<std::unique_ptr<judge::Opponent>> opponents;
  std::vector<std::pair<std::string, std::string>> missing;
};
Baselines open_baselines(const judge::RaceTrack& track, CacheState state);

// The names that `evoke bench --against` knows.
const std::vector<std::string>& baseline_names(const std::string& device);

// The value, or StartupError.
template <typename T>
T value_or_throw(judge::RunnerResult<T> result) {
  if (!result) throw StartupError(result.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

}  // namespace evoke::cli
