#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "evoke/attention/problem.h"
#include "evoke/cli/commands.h"
#include "evoke/cli/device_choice.h"
#include "evoke/cli/founders.h"
#include "evoke/cli/interrupt.h"
#include "evoke/cli/kernel_file.h"
#include "evoke/cli/kernel_profile.h"
#include "evoke/cli/laboratory.h"
#include "evoke/cli/shape_option.h"
#include "evoke/core/outcome.h"
#include "evoke/evaluation/judge/judging.h"
#include "evoke/evaluation/judge/profiler.h"

namespace evoke::cli {
namespace {

struct Options {
  std::string kernel;
  std::vector<std::string> shapes;
  std::string workload = "quick";
  std::string device;
  int pairs = 8;
};

std::string outcome_line(const Outcome& outcome) {
  return fmt::format("{}: {}", to_string(outcome.kind), outcome.message);
}

std::vector<Shape> shapes_of(const Workload& workload) {
  std::vector<Shape> shapes;
  for (const WorkloadShape& each : workload.shapes) {
    shapes.push_back(each.shape);
  }
  return shapes;
}

class Profiling {
 public:
  Profiling(const Laboratory& laboratory, const KernelFile& file, int pairs)
      : laboratory_(laboratory), file_(file), pairs_(pairs) {}

  KernelProfile run() {
    judge::Workbench& bench = *laboratory_.bench;
    profile_.kernel = file_.path;
    profile_.device = laboratory_.device;
    profile_.device_name = bench.greeting().device_name;
    const Workload workload =
        covered_part(laboratory_, file_, profile_.left_out);
    const auto timed = check_timed(laboratory_.device, "profile");
    Candidate candidate;
    candidate.id = 1;
    candidate.text = file_.text;
    judge::Judging judging(bench, candidate, shapes_of(workload));
    judging.plan();
    if (!judging.done()) {
      judging.compile(workload, timed ? std::vector{GateLevel::gate}
                                      : std::vector<GateLevel>());
    }
    if (judging.done()) {
      throw StartupError(file_.path + ": " + outcome_line(judging.outcome()));
    }
    for (const Shape& shape : judging.shapes()) add_compiled(judging, shape);
    if (!timed) {
      profile_.not_timed = timed.error().message;
      return std::move(profile_);
    }
    time(judging, workload);
    if (profile_.wrong.empty()) look_inside(judging);
    return std::move(profile_);
  }

  // False: there would be times, had nothing gone wrong.
  bool complete() const { return complete_; }

 private:
  // What the plan and the compiler know.
  void add_compiled(const judge::Judging& judging, const Shape& shape) {
    const judge::KernelBuild& build = judging.build();
    ShapeProfile added;
    added.shape = shape;
    added.plan = value_or_throw(build.plan_for(shape));
    added.variant = build.source().plan().variants[added.plan.variant].name;
    added.work = laboratory_.problem->work(shape);
    const auto unit = build.units().find(unit_of(added.plan));
    if (unit != build.units().end()) {
      added.report = unit->second->compiled.report;
      added.report["compile_ms"] = unit->second->compiled.elapsed_ms;
      added.report["cached"] = unit->second->was_cached;
    }
    profile_.shapes.push_back(std::move(added));
  }

  // Against itself: all numbers are made in one way, this one too.
  void time(judge::Judging& judging, const Workload& workload) {
    judging.load();
    if (!judging.done()) {
      judging.run_gate(Stage::gate, workload, GateLevel::gate, {},
                       judge::CaseSeeds::fresh);
    }
    if (judging.done()) return note_end(judging);
    if (interrupted()) throw StartupError("interrupted");
    auto track = value_or_throw(
        judge::RaceTrack::open(*laboratory_.bench, workload, {}));
    auto itself = value_or_throw(track->opponent(file_.path, file_.text));
    judge::RaceTrack::Request request;
    request.num_pairs = pairs_;
    auto raced = judging.race(*track, *itself, request);
    if (raced) {
      judging.veto_implausible(*track, track->shapes(), raced->shapes, 1.0);
    }
    profile_.roofline = track->roofline();
    if (judging.done()) return note_end(judging);
    for (ShapeProfile& shape : profile_.shapes) {
      for (const ShapeMeasurement& time : raced->shapes) {
        if (time.shape == shape.shape.name) shape.time = time;
      }
    }
  }

  void note_end(judge::Judging& judging) {
    complete_ = false;
    const Outcome& outcome = judging.outcome();
    if (outcome.kind == OutcomeKind::infrastructure_failed) {
      profile_.not_timed = outcome.message;
    } else {
      profile_.wrong = outcome_line(outcome);
      profile_.not_timed = "only what is right is timed";
    }
  }

  void look_inside(judge::Judging& judging) {
    if (kind_of_device(laboratory_.device) != "cuda") return;
    const std::string profiler = judge::find_profiler();
    if (profiler.empty()) {
      profile_.not_profiled = judge::profiler_missing();
      return;
    }
    for (ShapeProfile& shape : profile_.shapes) {
      if (interrupted()) throw StartupError("interrupted");
      auto launches = judge::profile_call(*laboratory_.bench, judging.build(),
                                          shape.shape, profiler);
      if (!launches) {
        profile_.not_profiled =
            fmt::format("{} at {}: {}", profiler, shape.shape.name,
                        launches.error().message);
        return;
      }
      shape.launches = std::move(*launches);
    }
  }

  const Laboratory& laboratory_;
  const KernelFile& file_;
  int pairs_;
  bool complete_ = true;
  KernelProfile profile_;
};

int profile_kernel(const Context& context, const Options& options) {
  const KernelFile file = read_kernel_file(options.kernel, options.device);
  const Workload workload = choose_shapes(
      value_or_throw(make_attention_problem()->workload(options.workload)),
      options.shapes);
  const Laboratory laboratory =
      open_laboratory(context, file.device, workload, 0);
  Profiling profiling(laboratory, file, options.pairs);
  const KernelProfile profile = profiling.run();
  fmt::print("{}", context.json ? to_json(profile).dump(2) + "\n"
                                : to_text(context, profile));
  return profiling.complete() ? 0 : 1;
}

}  // namespace

void add_profile(CLI::App& app, Context& context, Command& chosen) {
  auto* command = app.add_subcommand(
      "profile", "What a kernel was compiled to, and where its time goes");
  auto options = std::make_shared<Options>();
  command->add_option("kernel", options->kernel, "A kernel file")->required();
  command
      ->add_option("--shape", options->shapes,
                   "A shape's name, or letters as in Lk=4096,B=8; may be "
                   "repeated (default: all of the workload)")
      ->allow_extra_args(false);
  command->add_option("--workload", options->workload,
                      "quick, qwen3-0.6b, qwen3-0.6b-batched or a TOML file");
  command->add_option("--device", options->device,
                      "Which of the kernel's kind: cuda:1, or metal:3.2 for a "
                      "version of Metal's language");
  command->add_option("--pairs", options->pairs, "Of timed blocks, per shape")
      ->check(CLI::Range(3, 10000));
  command->footer(R"(
Examples:
  evoke profile mine.cpp                        every shape of the workload
  evoke profile mine.cpp --shape decode-4096    one of them
  evoke profile mine.cu --shape Lk=32768,B=4    with Nsight Compute's counters
  evoke profile mine.metal --json               what the compiler reports)");
  command->callback([&context, &chosen, options] {
    chosen = [&context, options] { return profile_kernel(context, *options); };
  });
}

}  // namespace evoke::cli
