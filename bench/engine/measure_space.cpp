// Judges every setting of a kernel file's parameters, once: what searches are
// then compared on, without a kernel being run again.
//
//   measure_space KERNEL --workload FILE [--only NAME=V,V,...]... --output CSV
//
// One row per setting that the constraints allow: the parameters' values, the
// outcome's kind, and the fitness, which is a paired ratio to the kernel file
// as it stands. Failures have no fitness. Goes on where an earlier call ended.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "bench/engine/parameter_space.h"
#include "evoke/cli/commands.h"
#include "evoke/cli/search_judge.h"

namespace evoke {
namespace {

using cli::value_or_throw;

struct Options {
  std::string kernel;
  std::string workload;
  std::vector<std::string> only;
  std::string output;
  int pairs = 8;
};

int run(const Options& options) {
  const auto source = bench::restricted(
      value_or_throw(KernelSource::read(options.kernel)), options.only);
  cli::Context context = cli::make_context();
  context.program_folder = EVOKE_PROGRAM_FOLDER;
  RunConfig config;
  config.device = "cpu";
  config.workload = options.workload;
  config.workers = 2;
  config.timing.search_pairs = options.pairs;
  auto laboratory =
      cli::open_laboratory(context, config.device, config.workload, 2);
  const auto judge = cli::open_search_judge(
      std::move(laboratory), config, {{"as-it-stands", source, {}}}, {},
      [](const std::string& what) { fmt::print(stderr, "{}\n", what); });

  const auto settings = bench::settings_of(source.plan());
  std::set<std::string> known;
  {
    std::ifstream before(options.output);
    for (std::string line; std::getline(before, line);) {
      known.insert(bench::key_of_row(line, source.plan()));
    }
  }
  std::ofstream output(options.output, std::ios::app);
  if (known.empty()) output << bench::header_of(source.plan()) << '\n';
  std::map<CandidateId, std::string> keys;
  std::size_t next = 0;
  std::size_t done = 0;
  while (next < settings.size() || !keys.empty()) {
    while (next < settings.size() && keys.size() < 3) {
      const KernelPlan& plan = settings[next++];
      const std::string key = bench::key_of(plan);
      if (known.contains(key)) continue;
      EvaluationRequest request;
      request.candidate.id = static_cast<CandidateId>(next);
      request.candidate.text = value_or_throw(source.with_plan(plan)).text();
      keys[request.candidate.id] = key;
      judge->evaluator->submit(std::move(request));
    }
    if (keys.empty()) break;
    const auto outcome = judge->evaluator->wait(1000);
    if (!outcome) continue;
    const std::string fitness =
        outcome->fitness ? fmt::format("{:.5f}", outcome->fitness->value) : "";
    // Settings that compile to the same code were judged with the first one.
    const std::string same =
        outcome->duplicate_of == 0
            ? ""
            : bench::key_of(
                  settings[static_cast<std::size_t>(outcome->duplicate_of) - 1],
                  '/');
    output << fmt::format("{},{},{},{}\n", keys.at(outcome->candidate),
                          to_string(outcome->kind), fitness, same)
           << std::flush;
    keys.erase(outcome->candidate);
    if (++done % 50 == 0) {
      fmt::print(stderr, "{} of {}\n", done, settings.size());
    }
  }
  return 0;
}

}  // namespace
}  // namespace evoke

int main(int argc, char** argv) try {
  evoke::Options options;
  CLI::App app("Judges every setting of a kernel file's parameters.");
  app.add_option("kernel", options.kernel)->required();
  app.add_option("--workload", options.workload)->required();
  app.add_option("--only", options.only, "NAME=V,V,...: fewer choices");
  app.add_option("--output", options.output)->required();
  app.add_option("--pairs", options.pairs);
  CLI11_PARSE(app, argc, argv);
  return evoke::run(options);
} catch (const std::exception& error) {
  std::fprintf(stderr, "measure_space: %s\n", error.what());
  return 1;
}
