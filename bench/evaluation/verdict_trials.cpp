// What the judge calls kernels that are known to be alike, and kernels that
// are known to differ a little.
//
//   verdict_trials TWIN_KERNEL [--extra PERCENT] [--trials N] [--pairs N]
//                  [--workload NAME] [--set-ups N] [--confirm]
//
// A trial is one race at one shape between the kernel and its twin that does
// PERCENT more work (bench/evaluation/twin.cpp), each in a fresh process. The
// set-up (inputs, and the race of the kernel against itself that tells what
// is noise) is made anew so often. With --confirm every pair has processes of
// its own, as in a confirmation. Raw results follow the table.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "evoke/attention/problem.h"
#include "evoke/core/kernel_source.h"
#include "evoke/evaluation/judge/race_track.h"
#include "evoke/evaluation/judge/workbench.h"

namespace evoke {
namespace {

struct Options {
  std::string kernel;
  std::string workload = "quick";
  int extra = 0;
  int trials = 200;
  int pairs = 40;
  int set_ups = 5;
  double confidence = 0.99;
  bool confirm = false;
};

template <typename T, typename E>
T must(tl::expected<T, E> result) {
  if (!result) throw StartupError(result.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

std::string with_extra(const KernelSource& kernel, int extra) {
  KernelPlan plan = kernel.plan();
  if (extra != 0 && !plan.find_parameter("extra")) {
    throw UsageError(kernel.path() +
                     ": has no parameter `extra`; only "
                     "bench/evaluation/twin.cpp can do more work than itself");
  }
  for (Parameter& parameter : plan.parameters) {
    if (parameter.name == "extra") parameter.value = extra;
  }
  return must(kernel.with_plan(plan)).text();
}

class Trials {
 public:
  Trials(Options options, std::string runner_path)
      : options_(std::move(options)), problem_(make_attention_problem()) {
    judge::WorkbenchOptions bench;
    bench.runner_path = std::move(runner_path);
    bench_ = must(judge::Workbench::open(*problem_, bench));
    workload_ = must(problem_->workload(options_.workload));
    const KernelSource kernel = must(KernelSource::read(options_.kernel));
    text_ = with_extra(kernel, 0);
    twin_ = with_extra(kernel, options_.extra);
  }

  void run() {
    const int shapes = static_cast<int>(workload_.shapes.size());
    const int races = (options_.trials + shapes - 1) / shapes;
    const int set_ups = std::min(options_.set_ups, races);
    for (int i = 0; i < set_ups; ++i) {
      set_up(races * (i + 1) / set_ups - races * i / set_ups);
    }
    print();
  }

 private:
  void set_up(int races) {
    auto track = must(judge::RaceTrack::open(*bench_, workload_, {}));
    auto kernel = must(track->opponent("kernel", text_));
    must(track->race_same_kernel(*kernel));
    if (options_.confirm) must(track->race_same_kernel_unseen(*kernel));
    auto build = must(bench_->plan(twin_, "twin", track->shapes()));
    const auto refusal = must(bench_->compile(build, track->shapes()));
    if (refusal) throw StartupError(refusal->message);
    for (int i = 0; i < races; ++i) {
      kernel->restart();
      judge::LoadedKernel twin(must(bench_->lasting_runner()), build);
      judge::RaceTrack::Request request;
      request.num_pairs = options_.pairs;
      request.confidence = options_.confidence;
      request.unseen_inputs = options_.confirm;
      auto raced = must(track->race(twin, *kernel, request));
      if (raced.failure) throw StartupError(raced.failure->failure.message);
      for (ShapeMeasurement& shape : raced.shapes) {
        fmt::print(stderr, ".");
        results_.push_back(std::move(shape));
      }
    }
    fmt::print(stderr, "\n");
  }

  void print() {
    fmt::print("{:<14} {:>6} {:>7} {:>7} {:>12} {:>14} {:>16}\n", "shape",
               "trials", "faster", "slower", "cannot tell", "mean speed-up",
               "minimum effect");
    std::map<std::string, std::vector<const ShapeMeasurement*>> by_shape;
    for (const ShapeMeasurement& each : results_) {
      by_shape[each.shape].push_back(&each);
      by_shape["all"].push_back(&each);
    }
    for (const auto& [shape, all] : by_shape) {
      int counts[3] = {};
      double logs = 0;
      double effects = 0;
      for (const ShapeMeasurement* each : all) {
        ++counts[static_cast<int>(each->verdict)];
        logs += std::log(each->speedup);
        effects += each->minimum_effect;
      }
      const auto count = static_cast<double>(all.size());
      fmt::print("{:<14} {:>6} {:>7} {:>7} {:>12} {:>14.4f} {:>15.2f}%\n",
                 shape, all.size(),
                 counts[static_cast<int>(SpeedVerdict::faster)],
                 counts[static_cast<int>(SpeedVerdict::slower)],
                 counts[static_cast<int>(SpeedVerdict::cannot_tell)],
                 std::exp(logs / count), 100 * std::expm1(effects / count));
    }
    fmt::print("\nshape,speedup,low,high,minimum_effect,discarded,verdict\n");
    for (const ShapeMeasurement& each : results_) {
      fmt::print("{},{:.5f},{:.5f},{:.5f},{:.5f},{},{}\n", each.shape,
                 each.speedup, each.speedup_low, each.speedup_high,
                 each.minimum_effect, each.discarded_pairs,
                 to_string(each.verdict));
    }
  }

  Options options_;
  std::unique_ptr<Problem> problem_;
  std::unique_ptr<judge::Workbench> bench_;
  Workload workload_;
  std::string text_;
  std::string twin_;
  std::vector<ShapeMeasurement> results_;
};

}  // namespace
}  // namespace evoke

int main(int argc, char** argv) try {
  evoke::Options options;
  CLI::App app("What the judge calls kernels whose difference is known.");
  app.add_option("kernel", options.kernel)->required();
  app.add_option("--extra", options.extra);
  app.add_option("--trials", options.trials);
  app.add_option("--pairs", options.pairs);
  app.add_option("--set-ups", options.set_ups);
  app.add_option("--confidence", options.confidence);
  app.add_flag("--confirm", options.confirm);
  app.add_option("--workload", options.workload);
  CLI11_PARSE(app, argc, argv);
  evoke::Trials(options, EVOKE_RUNNER_PATH).run();
  return 0;
} catch (const std::exception& error) {
  fmt::print(stderr, "verdict_trials: {}\n", error.what());
  return 1;
}
