#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <sstream>
#include <string>

#include "evoke/attention/problem.h"
#include "evoke/base/atomic_file.h"
#include "evoke/cli/commands.h"
#include "evoke/cli/run_access.h"
#include "evoke/core/kernel_source.h"
#include "evoke/devices/mlx_python.h"
#include "evoke/interchange/metal_text.h"
#include "evoke/store/run_export.h"

namespace evoke::cli {
namespace {

struct Options {
  std::string source;  // a run, or a kernel file
  CandidateId candidate = 0;
  std::string format = "kernel";
  std::string output;
};

// Writes to the file, or to standard output.
void deliver(const std::string& path, const std::string& text) {
  if (path.empty()) {
    std::fputs(text.c_str(), stdout);
    return;
  }
  value_or_throw(write_file_atomically(path, text));
  std::fprintf(stderr, "evoke: written to %s\n", path.c_str());
}

// A run's kernels are of the dialect that its device runs.
Dialect dialect_of(const RunStore& store) {
  const Json device = value_or_throw(store.fact("device"));
  const std::string kind = device.at("kind").get<std::string>();
  for (const Dialect each : {Dialect::cpu, Dialect::cuda, Dialect::metal}) {
    if (to_string(each) == kind) return each;
  }
  throw StartupError(store.folder() + ": made on device '" + kind +
                     "', which this version does not know");
}

KernelSource kernel_of_run(const RunStore& store, CandidateId id) {
  if (id == 0) id = value_or_throw(store.summary()).best;
  if (id == 0) {
    throw StartupError(store.folder() +
                       ": no confirmed best to export; name a candidate with "
                       "--candidate");
  }
  const Step step = value_or_throw(store.step_of(id));
  return value_or_throw(
      KernelSource::parse(step.candidate.text, dialect_of(store),
                          fmt::format("{} #{}", store.folder(), id)));
}

KernelSource kernel_of(const Options& options) {
  if (std::filesystem::is_regular_file(options.source)) {
    return value_or_throw(KernelSource::read(options.source));
  }
  return kernel_of_run(*open_run(options.source), options.candidate);
}

int export_as(const Options& options) {
  if (options.format == "json") {
    std::ostringstream text;
    value_or_throw(export_run(*open_run(options.source), text));
    deliver(options.output, text.str());
    return 0;
  }
  const KernelSource kernel = kernel_of(options);
  if (options.format == "mlx-python") {
    const auto problem = make_attention_problem();
    const auto module =
        to_mlx_python(kernel, problem->signature(), EVOKE_VERSION);
    if (!module) throw UsageError("export: " + module.error().message);
    deliver(options.output, *module);
    return 0;
  }
  if (options.format == "metal" && kernel.dialect() == Dialect::metal) {
    // At the heads of the model that evoke is about.
    deliver(options.output,
            value_or_throw(to_metal_text(
                kernel, make_attention_problem()->signature(),
                {{"D", 128}, {"Hq", 16}, {"Hkv", 8}, {"causal", 1}})));
    return 0;
  }
  if (options.format != "kernel" &&
      options.format != to_string(kernel.dialect())) {
    throw UsageError(fmt::format(
        "export --format {}: {} holds a kernel of the {} dialect; "
        "use --format kernel",
        options.format, kernel.path(), to_string(kernel.dialect())));
  }
  deliver(options.output, kernel.text());
  return 0;
}

}  // namespace

void add_export(CLI::App& app, Context&, Command& chosen) {
  auto options = std::make_shared<Options>();
  auto* command = app.add_subcommand(
      "export",
      "A kernel as a file: a run's best or another, or a kernel "
      "file in another form");
  command->add_option("source", options->source,
                      "A run directory (default: the latest one here), or a "
                      "kernel file");
  command->add_option("--candidate", options->candidate,
                      "Its number in the run (default: the best)");
  command
      ->add_option("--format", options->format,
                   "kernel, json (the whole run, a step per line), "
                   "mlx-python (a module for mlx-lm), cuda or metal")
      ->check(CLI::IsMember({"kernel", "json", "mlx-python", "cuda", "metal"}))
      ->capture_default_str();
  command->add_option("--output,-o", options->output,
                      "Where to write (default: standard output)");
  command->footer(R"(
Examples:
  evoke export -o best.cpp                      the latest run's best
  evoke export run --candidate 41               another of its kernels
  evoke export mine.metal --format mlx-python -o hook.py
  evoke export run --format json -o run.jsonl   the whole run)");
  command->callback([&chosen, options] {
    chosen = [options] { return export_as(*options); };
  });
}

}  // namespace evoke::cli
