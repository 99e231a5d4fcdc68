#include "evoke/evaluation/judge/profiler.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "evoke/base/fd.h"
#include "evoke/evaluation/judge/arm.h"
#include "evoke/evaluation/judge/case_pool.h"
#include "evoke/evaluation/judge/loaded_kernel.h"
#include "evoke/evaluation/judge/timing_inputs.h"
#include "evoke/evaluation/judge/validation_tool.h"

namespace evoke::judge {
namespace {

namespace fs = std::filesystem;
using Kind = RunnerFault::Kind;

// A launch is repeated for every group of counters, with all memory that it
// writes put back in between.
constexpr int64_t kCallTimeoutMs = 240'000;
constexpr std::size_t kMostShapes = 3;
// Kernels of candidates begin so (entry_point() of devices/cuda/assemble.h),
// those of the runner otherwise.
constexpr std::string_view kEntryPrefix = "evoke_run_";

// For the profiler's log, its lock and whatever else it leaves at home.
class PrivateFolder {
 public:
  PrivateFolder() {
    std::error_code error;
    std::string name =
        (fs::temp_directory_path(error) / "evoke-profile-XXXXXX").string();
    if (!error && ::mkdtemp(name.data()) != nullptr) path_ = name;
  }
  ~PrivateFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  PrivateFolder(const PrivateFolder&) = delete;
  PrivateFolder& operator=(const PrivateFolder&) = delete;
  const std::string& path() const { return path_; }  // empty: not made

 private:
  std::string path_;
};

struct Place {
  const char* variable;
  const char* below;
};
constexpr std::array kPlaces = {Place{"EVOKE_CUDA_BIN", ""},
                                Place{"CUDA_HOME", "bin"},
                                Place{"CUDA_PATH", "bin"}};
constexpr const char* kToolkit = "/usr/local/cuda/bin";
constexpr const char* kOwnFolder = "/opt/nvidia/nsight-compute";

std::vector<fs::path> folders() {
  std::vector<fs::path> folders;
  for (const Place& place : kPlaces) {
    const char* const root = std::getenv(place.variable);
    if (root == nullptr || *root == 0) continue;
    folders.push_back(fs::path(root) / place.below);
  }
  folders.emplace_back(kToolkit);
  std::vector<fs::path> versions;
  std::error_code error;
  for (const auto& each : fs::directory_iterator(kOwnFolder, error)) {
    versions.push_back(each.path());
  }
  // The newest first; their names are years.
  std::sort(versions.rbegin(), versions.rend());
  folders.insert(folders.end(), versions.begin(), versions.end());
  return folders;
}

ValidationTool nsight_compute(const std::string& program,
                              const std::string& folder, std::size_t launches) {
  ValidationTool tool;
  tool.name = "ncu";
  tool.launcher = {program,
                   "--csv",
                   "--page",
                   "raw",
                   "--print-units",
                   "base",
                   "--log-file",
                   folder + "/log",
                   "--clock-control",
                   "none",
                   "--kernel-name",
                   fmt::format("regex:^{}", kEntryPrefix),
                   "--launch-count",
                   std::to_string(launches),
                   "--metrics",
                   "dram__bytes_read.sum,dram__bytes_write.sum,"
                   "lts__t_bytes.sum"};
  for (const char* section : {"SpeedOfLight", "Occupancy", "WarpStateStats",
                              "MemoryWorkloadAnalysis"}) {
    tool.launcher.insert(tool.launcher.end(), {"--section", section});
  }
  // The toolkit's ncu is a shell script.
  tool.environment = {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + folder,
                      "TMPDIR=" + folder};
  return tool;
}

// One call, right or not; what is wrong with it.
RunnerResult<std::string> run_call(Workbench& bench, const KernelBuild& build,
                                   const std::shared_ptr<TimingInputs>& inputs,
                                   const std::shared_ptr<Runner>& runner) {
  const auto claim = bench.lock().claim(bench.stop());
  if (!claim) return fault(Kind::cancelled, "cancelled");
  LoadedKernel kernel(runner, build);
  auto arm = Arm::of_kernel("the kernel", kernel, inputs, {0});
  if (!arm) return fault_of(arm);
  const auto failure = (*arm)->ensure(std::array{0}, kCallTimeoutMs);
  if (!failure) return fault_of(failure);
  return *failure ? (*failure)->message : std::string();
}

RunnerResult<std::vector<LaunchProfile>> compile_and_profile(
    Workbench& bench, const std::string& text, const Shape& shape,
    const std::string& profiler) {
  auto build = bench.plan(text, "kernel", {shape});
  if (!build) return fault(Kind::refused, build.error().message);
  const auto refusal = bench.compile(*build, {shape});
  if (!refusal) return fault_of(refusal);
  if (*refusal) return fault(Kind::refused, (*refusal)->message);
  return profile_call(bench, *build, shape, profiler);
}

}  // namespace

std::string find_profiler() {
  for (const fs::path& folder : folders()) {
    const std::string path = (folder / "ncu").string();
    std::error_code error;
    if (::access(path.c_str(), X_OK) == 0 && fs::is_regular_file(path, error)) {
      return path;
    }
  }
  return {};
}

std::string profiler_missing() {
  std::string text =
      "Nsight Compute (ncu) is not installed; it is looked for in ";
  for (const Place& place : kPlaces) {
    text += (fs::path(place.variable) / place.below).string() + ", ";
  }
  return fmt::format("{}{}, {}/*", text, kToolkit, kOwnFolder);
}

RunnerResult<std::vector<LaunchProfile>> profile_call(
    Workbench& bench, const KernelBuild& build, const Shape& shape,
    const std::string& profiler) {
  const auto plan = build.plan_for(shape);
  if (!plan) return fault(Kind::refused, plan.error().message);
  TimingInputs::Options one;
  one.total_bytes = 1;
  one.max_copies = 1;
  one.seed = secret_seed();
  const auto inputs = TimingInputs::make(bench.problem(), shape, one);
  if (!inputs) return own_fault(inputs.error());
  (*inputs)->fill();
  const PrivateFolder folder;
  if (folder.path().empty()) {
    return fault(Kind::unavailable, "cannot make a temporary folder");
  }
  auto runner = bench.watched_runner(
      nsight_compute(profiler, folder.path(), plan->launches.size()));
  if (!runner) return fault_of(runner);
  const auto wrong = run_call(bench, build, *inputs, *runner);
  const WatchedEnd end = (*runner)->finish();
  if (bench.stopping()) return fault(Kind::cancelled, "cancelled");
  const auto log = read_file(folder.path() + "/log");
  auto launches = read_launch_profiles(log ? *log : end.output);
  // Why there is nothing to see, rather than that.
  if (!wrong) return fault_of(wrong);
  if (!wrong->empty()) return fault(Kind::refused, *wrong);
  if (!launches) return fault(Kind::unavailable, launches.error().message);
  for (LaunchProfile& launch : *launches) {
    if (launch.kernel.starts_with(kEntryPrefix)) {
      launch.kernel.erase(0, kEntryPrefix.size());
    }
  }
  return std::move(*launches);
}

Json profile_heaviest(Workbench& bench, const std::string& text,
                      const Workload& workload, const std::string& profiler) {
  std::vector<WorkloadShape> heaviest = workload.shapes;
  std::stable_sort(
      heaviest.begin(), heaviest.end(),
      [](const auto& a, const auto& b) { return a.weight > b.weight; });
  if (heaviest.size() > kMostShapes) heaviest.resize(kMostShapes);
  Json rows = Json::array();
  for (const auto& [shape, weight] : heaviest) {
    const auto launches = compile_and_profile(bench, text, shape, profiler);
    Json& row = rows.emplace_back();
    row["shape"] = shape.name;
    if (launches) {
      row["launches"] = to_json(*launches);
    } else {
      row["missing"] = launches.error().message;
    }
  }
  return rows;
}

}  // namespace evoke::judge
