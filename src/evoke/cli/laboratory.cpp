#include "evoke/cli/laboratory.h"

#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "evoke/attention/problem.h"
#include "evoke/cli/commands.h"
#include "evoke/cli/device_choice.h"
#include "evoke/evaluation/judge/free_memory.h"

namespace evoke::cli {
namespace {

// Timing rotates over at least so many copies of a shape's tensors.
constexpr double kCopies = 8;

// A machine that runs out of memory stops more than this program.
void require_memory_for(const Problem& problem, const Workload& workload) {
  const auto free_bytes = static_cast<double>(judge::free_memory_bytes());
  for (const WorkloadShape& each : workload.shapes) {
    const double bytes = kCopies * problem.work(each.shape).bytes;
    if (free_bytes > 0 && bytes > free_bytes) {
      throw StartupError(fmt::format(
          "workload {}: shape {} needs {:.1f} GB ({:.0f} copies of its "
          "tensors) and {:.1f} GB of memory are free; make it smaller",
          workload.name, each.shape.name, bytes * 1e-9, kCopies,
          free_bytes * 1e-9));
    }
  }
}

std::unique_ptr<judge::Workbench> open_bench(
    const Context& context, const Problem& problem, const std::string& device,
    int spare_runners, std::shared_ptr<judge::CasePool> cases) {
  judge::WorkbenchOptions options;
  options.runner_path = context.runner_path();
  options.device = device;
  options.spare_runners = spare_runners;
  options.shared_cases = std::move(cases);
  if (!std::filesystem::exists(options.runner_path)) {
    throw StartupError(options.runner_path +
                       " is missing; ./evoke builds it beside the program");
  }
  return value_or_throw(judge::Workbench::open(problem, options));
}

}  // namespace

std::vector<judge::Workbench*> Laboratory::benches() const {
  std::vector<judge::Workbench*> all = {bench.get()};
  for (const auto& other : others) all.push_back(other.get());
  return all;
}

Laboratory open_laboratory(const Context& context, const std::string& device,
                           const std::string& workload, int spare_runners) {
  return open_laboratory(
      context, device,
      value_or_throw(make_attention_problem()->workload(workload)),
      spare_runners);
}

Laboratory open_laboratory(const Context& context, const std::string& device,
                           Workload workload, int spare_runners) {
  Laboratory laboratory;
  laboratory.device = value_or_throw(choose_device(device));
  laboratory.problem = make_attention_problem();
  laboratory.workload = std::move(workload);
  require_memory_for(*laboratory.problem, laboratory.workload);
  laboratory.bench = open_bench(context, *laboratory.problem, laboratory.device,
                                spare_runners, nullptr);
  return laboratory;
}

Laboratory open_search_laboratory(const Context& context,
                                  const std::string& devices,
                                  const std::string& workload,
                                  int spare_runners) {
  const auto names = value_or_throw(choose_devices(devices));
  const int count = static_cast<int>(names.size());
  const int spares = (spare_runners + count - 1) / count;
  Laboratory laboratory =
      open_laboratory(context, names.front(), workload, spares);
  std::vector<NamedDevice> opened = {
      {names.front(), laboratory.bench->greeting()}};
  for (std::size_t i = 1; i < names.size(); ++i) {
    laboratory.others.push_back(open_bench(context, *laboratory.problem,
                                           names[i], spares,
                                           laboratory.bench->shared_cases()));
    opened.push_back({names[i], laboratory.others.back()->greeting()});
    value_or_throw(check_alike(opened));
    laboratory.device += "," + names[i];
  }
  return laboratory;
}

Workload covered_part(const Laboratory& laboratory, const KernelFile& file,
                      std::vector<std::string>& left_out) {
  Workload workload = laboratory.workload;
  const judge::KernelBuild build =
      value_or_throw(laboratory.bench->plan(file.text, file.path, {}));
  std::erase_if(workload.shapes, [&](const WorkloadShape& each) {
    const auto plan = build.plan_for(each.shape);
    if (plan) return false;
    if (plan.error().kind != ErrorKind::absent) {
      throw StartupError(plan.error().message);
    }
    left_out.push_back(each.shape.name);
    return true;
  });
  if (workload.shapes.empty()) {
    throw StartupError(file.path + ": no variant takes any shape of " +
                       workload.name + "; choose another --workload");
  }
  return workload;
}

const std::vector<std::string>& baseline_names(const std::string& device) {
  static const std::vector<std::string> cpu = {"mlx", "onednn", "openvino"};
  static const std::vector<std::string> cuda = {"mlx-cuda"};
  static const std::vector<std::string> metal = {"mlx-metal"};
  const std::string kind = kind_of_device(device);
  return kind == "cuda" ? cuda : kind == "metal" ? metal : cpu;
}

Baselines open_baselines(const judge::RaceTrack& track, CacheState state) {
  Baselines baselines;
  for (const std::string& name : baseline_names(track.device())) {
    auto opponent = track.baseline(name, state);
    if (auto side = opponent->side()) {
      baselines.opponents.push_back(std::move(opponent));
    } else {
      baselines.missing.emplace_back(name, side.error().message);
    }
  }
  return baselines;
}

}  // namespace evoke::cli
