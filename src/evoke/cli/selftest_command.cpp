#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include "evoke/attention/selftest.h"
#include "evoke/cli/commands.h"

namespace evoke::cli {
namespace {

struct Options {
  bool full = false;
  bool markdown = false;
  uint64_t seed = 1;
  std::string device = "cpu";
};

int run_selftest_command(const Context& context, const Options& options) {
  if (options.device != "cpu") {
    throw UsageError(
        "selftest --device " + options.device +
        ": the matrix is made of cpu kernels; leave the option out");
  }
  attention::SelftestOptions selftest;
  selftest.quick = !options.full;
  selftest.seed = options.seed;
  selftest.num_threads =
      static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  if (!context.json && isatty(STDERR_FILENO) == 1) {
    std::fputs(options.full ? "evoke: some minutes on two cores ...\n"
                            : "evoke: about a minute on two cores ...\n",
               stderr);
  }
  const auto report = attention::run_selftest(selftest);
  const std::string text = context.json       ? to_json(report).dump(2) + "\n"
                           : options.markdown ? to_markdown(report)
                                              : to_text(report);
  std::fputs(text.c_str(), stdout);
  return report.passed ? 0 : 1;
}

}  // namespace

void add_selftest(CLI::App& app, Context& context, Command& chosen) {
  auto* command = app.add_subcommand(
      "selftest",
      "What the gate catches: wrong kernels x inputs x gates, as a matrix");
  auto options = std::make_shared<Options>();
  command->add_flag("--full", options->full,
                    "The whole list of cases and more random mutants");
  command->add_flag("--markdown", options->markdown, "Print Markdown");
  command->add_option("--seed", options->seed, "Of inputs and random mutants");
  command->add_option("--device", options->device, "cpu");
  command->footer(R"(
Examples:
  evoke selftest                    the matrix on this machine's cpu
  evoke selftest --full             every case, more random mutants
  evoke selftest --markdown >matrix.md)");
  command->callback([&context, &chosen, options] {
    chosen = [&context, options] {
      return run_selftest_command(context, *options);
    };
  });
}

}  // namespace evoke::cli
