// What a hit of the compile cache costs: from a kernel text that was planned
// to its unit in memory, as a search does it.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "evoke/attention/problem.h"
#include "evoke/base/clock.h"
#include "evoke/core/kernel_source.h"
#include "evoke/evaluation/judge/workbench.h"

namespace evoke {
namespace {

void run(const std::string& path) {
  const auto problem = make_attention_problem();
  judge::WorkbenchOptions options;
  options.runner_path = EVOKE_RUNNER_PATH;
  auto bench = judge::Workbench::open(*problem, options);
  if (!bench) throw StartupError(bench.error().message);
  const auto source = KernelSource::read(path);
  if (!source) throw StartupError(source.error().message);
  const auto workload = problem->workload("quick");
  std::vector<Shape> shapes;
  for (const WorkloadShape& each : workload->shapes) {
    shapes.push_back(each.shape);
  }
  constexpr int kTries = 501;
  std::vector<double> plan_ms;
  std::vector<double> unit_ms;
  for (int i = 0; i <= kTries; ++i) {
    const double start_ms = monotonic_ms();
    auto build = (*bench)->plan(source->text(), path, shapes);
    if (!build) throw StartupError(build.error().message);
    const double planned_ms = monotonic_ms();
    const auto refusal = (*bench)->compile(*build, shapes);
    if (!refusal || *refusal) throw StartupError(path + ": does not compile");
    if (i == 0) continue;  // compiles
    plan_ms.push_back(planned_ms - start_ms);
    unit_ms.push_back((monotonic_ms() - planned_ms) /
                      static_cast<double>(build->units().size()));
  }
  const auto print = [](const char* what, std::vector<double>& times) {
    std::sort(times.begin(), times.end());
    fmt::print("{:<24} median {:.3f} ms, 99 % below {:.3f} ms\n", what,
               times[times.size() / 2], times[times.size() * 99 / 100]);
  };
  print("plan (stage 0)", plan_ms);
  print("compile-cache hit", unit_ms);
}

}  // namespace
}  // namespace evoke

int main(int argc, char** argv) try {
  if (argc != 2) throw evoke::UsageError("compile_cache_hit KERNEL");
  evoke::run(argv[1]);
  return 0;
} catch (const std::exception& error) {
  fmt::print(stderr, "compile_cache_hit: {}\n", error.what());
  return 1;
}
