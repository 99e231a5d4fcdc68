// What checking one Metal candidate on the host costs, stage by stage, the
// way a search does it: processor time of the judge and all its processes,
// and time passed.
//
//   candidate_cost kernels/attention/metal/*.metal
//
// The first candidate is judged once before, so that the shim's precompiled
// headers and the cases are there; every candidate compiles anew.
#include <dirent.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "evoke/attention/problem.h"
#include "evoke/base/clock.h"
#include "evoke/core/kernel_source.h"
#include "evoke/evaluation/judge/judging.h"

namespace evoke {
namespace {

// Processor seconds of this process and of all that it started, those that
// have ended among them.
double processor_seconds() {
  struct Process {
    int parent = 0;
    double ticks = 0;
  };
  std::map<int, Process> all;
  DIR* const folder = ::opendir("/proc");
  if (folder == nullptr) throw StartupError("/proc is not there");
  while (const dirent* entry = ::readdir(folder)) {
    const int id = std::atoi(entry->d_name);
    if (id <= 0) continue;
    std::ifstream file(fmt::format("/proc/{}/stat", id));
    std::string text{std::istreambuf_iterator<char>(file), {}};
    // "id (name) state parent ...": the name may hold anything.
    std::istringstream rest(text.substr(text.rfind(')') + 1));
    std::string state;
    Process process;
    rest >> state >> process.parent;
    std::string skipped;
    for (int i = 0; i < 9; ++i) rest >> skipped;
    for (int i = 0; i < 4; ++i) {  // utime stime cutime cstime
      double ticks = 0;
      rest >> ticks;
      process.ticks += ticks;
    }
    all[id] = process;
  }
  ::closedir(folder);
  const int self = static_cast<int>(::getpid());
  double ticks = 0;
  for (const auto& [id, process] : all) {
    int at = id;
    while (at != self && all.contains(at)) at = all[at].parent;
    if (at == self) ticks += process.ticks;
  }
  return ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

struct Cost {
  double processor_s = 0;
  double passed_s = 0;
};

struct Measured {
  std::array<Cost, 4> stages;  // plan and compile, screen, gate, all of it
  std::string outcome;
};

Measured judge_one(judge::Workbench& bench, const Workload& workload,
                   const KernelSource& source, CandidateId id) {
  Measured measured;
  std::vector<Shape> shapes;
  for (const WorkloadShape& each : workload.shapes) {
    shapes.push_back(each.shape);
  }
  Candidate candidate;
  candidate.id = id;
  candidate.text = source.text();
  const double start_s = processor_seconds();
  const double start_ms = monotonic_ms();
  double latest_s = start_s;
  double latest_ms = start_ms;
  const auto lap = [&](std::size_t stage) {
    const double now_s = processor_seconds();
    const double now_ms = monotonic_ms();
    measured.stages[stage] = {now_s - latest_s, (now_ms - latest_ms) * 1e-3};
    latest_s = now_s;
    latest_ms = now_ms;
  };
  judge::Judging judging(bench, candidate, shapes);
  judging.plan();
  if (!judging.done()) {
    judging.compile(workload, {GateLevel::screen, GateLevel::gate});
  }
  lap(0);
  if (!judging.done()) judging.load();
  const judge::GateOptions options;
  if (!judging.done()) {
    judging.run_gate(Stage::screen, workload, GateLevel::screen, options,
                     judge::CaseSeeds::pooled);
  }
  lap(1);
  if (!judging.done()) {
    judging.run_gate(Stage::gate, workload, GateLevel::gate, options,
                     judge::CaseSeeds::pooled);
  }
  lap(2);
  measured.stages[3] = {latest_s - start_s, (latest_ms - start_ms) * 1e-3};
  measured.outcome = judging.done() ? judging.outcome().message : "right";
  return measured;
}

void run(const std::vector<std::string>& paths) {
  const auto problem = make_attention_problem();
  judge::WorkbenchOptions options;
  options.runner_path = EVOKE_RUNNER_PATH;
  options.device = "metal";
  options.use_compile_cache = false;
  auto bench = judge::Workbench::open(*problem, options);
  if (!bench) throw StartupError(bench.error().message);
  const auto workload = problem->workload("quick");
  if (!workload) throw StartupError(workload.error().message);
  fmt::print("processor seconds (passed seconds)\n{:<22}", "");
  for (const char* stage : {"compile", "screen", "gate", "all"}) {
    fmt::print(" {:>14}", stage);
  }
  fmt::print("\n");
  CandidateId id = 1;
  for (std::size_t i = 0; i <= paths.size(); ++i) {
    const std::string& path = paths[i == 0 ? 0 : i - 1];
    const auto source = KernelSource::read(path);
    if (!source) throw StartupError(source.error().message);
    const Measured measured = judge_one(**bench, *workload, *source, id++);
    if (i == 0) continue;
    fmt::print("{:<22}", path.substr(path.rfind('/') + 1));
    for (const Cost& each : measured.stages) {
      fmt::print(" {:>6.2f} ({:>5.2f})", each.processor_s, each.passed_s);
    }
    fmt::print("  {}\n", measured.outcome);
    std::fflush(stdout);
  }
}

}  // namespace
}  // namespace evoke

int main(int argc, char** argv) try {
  if (argc < 2) throw evoke::UsageError("candidate_cost KERNEL.metal ...");
  evoke::run({argv + 1, argv + argc});
  return 0;
} catch (const std::exception& error) {
  fmt::print(stderr, "candidate_cost: {}\n", error.what());
  return 1;
}
