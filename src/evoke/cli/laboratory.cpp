#include "evoke/cli/laboratory.h"

#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "evoke/attention/problem.h"
#include "evoke/cli/commands.h"
#include "evoke/cli/founders.h"
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

}  // namespace

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
  judge::WorkbenchOptions options;
  options.runner_path = context.runner_path();
  options.device = laboratory.device;
  options.spare_runners = spare_runners;
  if (!std::filesystem::exists(options.runner_path)) {
    throw StartupError(options.runner_path +
                       " is missing; ./evoke builds it beside the program");
  }
  laboratory.bench =
      value_or_throw(judge::Workbench::open(*laboratory.problem, options));
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
