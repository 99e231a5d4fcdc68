#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "evoke/cli/commands.h"
#include "evoke/cli/device_choice.h"
#include "evoke/cli/founders.h"
#include "evoke/cli/interrupt.h"
#include "evoke/cli/kernel_file.h"
#include "evoke/cli/laboratory.h"
#include "evoke/cli/machine.h"
#include "evoke/core/outcome.h"
#include "evoke/evaluation/judge/judging.h"
#include "evoke/report/tables.h"

namespace evoke::cli {
namespace {

struct Options {
  std::vector<std::string> kernels;
  std::vector<std::string> against;
  std::string workload = "quick";
  std::string device;
  int pairs = 40;
  double confidence = 0.99;
  bool warm = false;
};

struct KernelResult {
  std::string path;
  std::vector<std::string> left_out;
  std::vector<std::string> notes;  // about opponents
  Measurements measurements;
};

class Bench {
 public:
  Bench(const Laboratory& laboratory, const Options& options)
      : laboratory_(laboratory), options_(options) {}

  KernelResult run(const KernelFile& file) {
    KernelResult result;
    result.path = file.path;
    const Workload workload = covered_part(laboratory_, file, result.left_out);
    judge::Workbench& bench = *laboratory_.bench;
    Ground& ground = ground_of(workload, result.left_out);
    judge::RaceTrack& track = *ground.track;
    Candidate candidate;
    candidate.id = 1;
    candidate.text = file.text;
    judge::Judging judging(bench, candidate, track.shapes());
    judging.plan();
    if (!judging.done()) judging.compile(workload, {GateLevel::gate});
    if (!judging.done()) judging.load();
    if (!judging.done()) {
      judging.run_gate(Stage::gate, workload, GateLevel::gate, {},
                       judge::CaseSeeds::fresh);
    }
    throw_if_done(file, judging);
    // What is noise: the kernel against itself.
    auto itself = value_or_throw(track.opponent(file.path, file.text));
    value_or_throw(track.race_same_kernel(*itself));
    itself.reset();
    for (const CacheState state : {CacheState::cold, CacheState::warm}) {
      if (state == CacheState::warm && !options_.warm) continue;
      for (auto& opponent : opponents(ground, state, result)) {
        if (interrupted()) throw StartupError("interrupted");
        judge::RaceTrack::Request request;
        request.num_pairs = options_.pairs;
        request.confidence = options_.confidence;
        auto raced = judging.race(track, *opponent, request);
        throw_if_done(file, judging);
        note_opponent(track, *opponent, result);
        std::move(raced->shapes.begin(), raced->shapes.end(),
                  std::back_inserter(result.measurements.shapes));
      }
    }
    judging.veto_implausible(track, track.shapes(), result.measurements.shapes,
                             1.0);
    throw_if_done(file, judging);
    return result;
  }

 private:
  // What kernels that cover the same shapes share: inputs, what the machine can
  // do, and whom they race against.
  struct Ground {
    std::vector<std::string> left_out;  // of the workload
    std::unique_ptr<judge::RaceTrack> track;
    std::map<CacheState, Baselines> opponents;
  };

  Ground& ground_of(const Workload& workload,
                    const std::vector<std::string>& left_out) {
    if (!ground_ || ground_->left_out != left_out) {
      ground_.reset();
      ground_ = Ground{left_out,
                       value_or_throw(judge::RaceTrack::open(*laboratory_.bench,
                                                             workload, {})),
                       {}};
    }
    return *ground_;
  }

  static void throw_if_done(const KernelFile& file, judge::Judging& judging) {
    if (!judging.done()) return;
    throw StartupError(fmt::format("{}: {}: {}", file.path,
                                   to_string(judging.outcome().kind),
                                   judging.outcome().message));
  }

  std::vector<std::unique_ptr<judge::Opponent>>& opponents(
      Ground& ground, CacheState state, KernelResult& result) {
    auto [found, is_new] = ground.opponents.try_emplace(state);
    Baselines& all = found->second;
    if (is_new) all = open_opponents(*ground.track, state);
    for (const auto& [name, reason] : all.missing) {
      if (state == CacheState::warm) break;
      result.notes.push_back(name + " is missing here: " + reason);
    }
    return all.opponents;
  }

  Baselines open_opponents(const judge::RaceTrack& track, CacheState state) {
    if (options_.against.empty()) return open_baselines(track, state);
    Baselines all;
    const auto& names = baseline_names(laboratory_.device);
    for (const std::string& each : options_.against) {
      if (std::find(names.begin(), names.end(), each) != names.end()) {
        all.opponents.push_back(track.baseline(each, state));
        continue;
      }
      const KernelFile rival = read_kernel_file(each);
      const std::string name = std::filesystem::path(each).stem().string();
      all.opponents.push_back(
          value_or_throw(track.opponent(name, rival.text, state)));
    }
    return all;
  }

  // What the gate has against a baseline, and where it does not take part.
  static void note_opponent(const judge::RaceTrack& track,
                            judge::Opponent& opponent, KernelResult& result) {
    const auto side = opponent.side();
    if (!side) return;
    for (std::size_t i = 0; i < (*side)->notes.size(); ++i) {
      const std::string& note = (*side)->notes[i];
      if (note.empty()) continue;
      const std::string line = fmt::format("{} at {}: {}", opponent.name(),
                                           track.shapes()[i].name, note);
      if (std::find(result.notes.begin(), result.notes.end(), line) ==
          result.notes.end()) {
        result.notes.push_back(line);
      }
    }
  }

  const Laboratory& laboratory_;
  const Options& options_;
  std::optional<Ground> ground_;
};

void print_result(const Context& context, const KernelResult& result) {
  fmt::print("{}\n{}\n", bold(context, result.path),
             to_text(measurement_table(result.measurements.shapes)));
  for (const std::string& shape : result.left_out) {
    fmt::print("left out: no variant takes {}\n", shape);
  }
  for (const std::string& note : result.notes) fmt::print("{}\n", note);
  const std::string caveat = baseline_caveat(result.measurements);
  if (!caveat.empty()) fmt::print("{}\n", caveat);
  fmt::print("\n");
}

int bench_kernels(const Context& context, const Options& options) {
  std::vector<KernelFile> files;
  for (const std::string& path : options.kernels) {
    files.push_back(read_kernel_file(path, options.device));
    if (files.back().device != files.front().device) {
      throw UsageError(path + ": all kernels must be of one dialect");
    }
  }
  const auto& names = baseline_names(files.front().device);
  for (const std::string& each : options.against) {
    if (std::find(names.begin(), names.end(), each) == names.end()) {
      // What is wrong with it should show at once.
      read_kernel_file(each, options.device);
    }
  }
  value_or_throw(check_timed(files.front().device, "bench"));
  const Laboratory laboratory =
      open_laboratory(context, files.front().device, options.workload, 0);
  Bench bench(laboratory, options);
  Json json = Json::array();
  for (const KernelFile& file : files) {
    const KernelResult result = bench.run(file);
    if (context.json) {
      json.push_back({{"kernel", result.path},
                      {"machine", describe_machine()},
                      {"time", utc_time()},
                      {"left_out", result.left_out},
                      {"notes", result.notes},
                      {"measurements", to_json(result.measurements)}});
    } else {
      print_result(context, result);
    }
  }
  if (context.json) fmt::print("{}\n", json.dump(2));
  return 0;
}

}  // namespace

void add_bench(CLI::App& app, Context& context, Command& chosen) {
  auto* command = app.add_subcommand(
      "bench", "Paired timing against the baselines: is it faster?");
  auto options = std::make_shared<Options>();
  command->add_option("kernels", options->kernels, "Kernel files")->required();
  command->add_option("--against", options->against,
                      "mlx, onednn, openvino or another kernel file "
                      "(default: every baseline that answers here)");
  command->add_option("--workload", options->workload,
                      "quick, qwen3-0.6b, qwen3-0.6b-batched or a TOML file");
  command->add_option("--device", options->device,
                      "Which of the kernels' kind: cuda:1");
  command->add_option("--pairs", options->pairs, "Of blocks, per shape")
      ->check(CLI::Range(3, 10000));
  command->add_option("--confidence", options->confidence, "Of the intervals")
      ->check(CLI::Range(0.5, 0.9999));
  command->add_flag("--warm", options->warm,
                    "Also with inputs that the caches hold already");
  command->footer(R"(
Examples:
  evoke bench mine.cpp                          against every baseline here
  evoke bench mine.cpp --against parent.cpp     against another kernel
  evoke bench mine.cpp --workload qwen3-0.6b --pairs 50 --warm)");
  command->callback([&context, &chosen, options] {
    chosen = [&context, options] { return bench_kernels(context, *options); };
  });
}

}  // namespace evoke::cli
