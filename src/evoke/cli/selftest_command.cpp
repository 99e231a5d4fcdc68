#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>

#include "evoke/attention/selftest.h"
#include "evoke/cli/commands.h"
#include "evoke/cli/interrupt.h"
#include "evoke/cli/kernel_selftest.h"
#include "evoke/cli/laboratory.h"

namespace evoke::cli {
namespace {

constexpr const char* kWorkload = "quick";
// At work at once: on a GPU each has a context of its own.
constexpr int kMostRunners = 8;

struct Options {
  bool full = false;
  bool markdown = false;
  uint64_t seed = 1;
  std::string device;  // empty: emulated
};

int num_cores() {
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

template <typename Report>
int print_report(const Context& context, const Options& options,
                 const Report& report) {
  const std::string text = context.json       ? to_json(report).dump(2) + "\n"
                           : options.markdown ? to_markdown(report)
                                              : to_text(report);
  std::fputs(text.c_str(), stdout);
  return report.passed ? 0 : 1;
}

int test_with_emulations(const Context& context, const Options& options) {
  attention::SelftestOptions selftest;
  selftest.quick = !options.full;
  selftest.seed = options.seed;
  selftest.num_threads = num_cores();
  if (!context.json && isatty(STDERR_FILENO) == 1) {
    std::fputs(options.full ? "evoke: some minutes on two cores ...\n"
                            : "evoke: about a minute on two cores ...\n",
               stderr);
  }
  return print_report(context, options, attention::run_selftest(selftest));
}

int test_with_kernels(const Context& context, const Options& options) {
  const int num_workers = std::min(num_cores(), kMostRunners);
  const Laboratory laboratory = open_laboratory(
      context, options.device, kWorkload, /*spare_runners=*/num_workers);
  KernelSelftestOptions selftest;
  selftest.level = options.full ? GateLevel::full : GateLevel::gate;
  selftest.num_workers = num_workers;
  selftest.stop = [] { return interrupted(); };
  const bool live = !context.json && isatty(STDERR_FILENO) == 1;
  if (live) {
    selftest.progress = [](int done, int all) {
      fmt::print(stderr, "\r\x1b[K{}/{} kernels", done, all);
    };
  }
  const auto report = run_kernel_selftest(laboratory, selftest);
  if (live) fmt::print(stderr, "\r\x1b[K");
  return print_report(context, options, report);
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
  auto* seed = command->add_option("--seed", options->seed,
                                   "Of inputs and random mutants");
  command
      ->add_option("--device", options->device,
                   "Real kernels in place of emulated ones, compiled for and "
                   "run on cpu, cuda or cuda:1; their inputs are secret")
      ->excludes(seed);
  command->footer(R"(
Examples:
  evoke selftest                    emulated kernels, on any machine
  evoke selftest --full             every case, more random mutants
  evoke selftest --device cuda      real kernels on a GPU
  evoke selftest --markdown >matrix.md)");
  command->callback([&context, &chosen, options] {
    chosen = [&context, options] {
      return options->device.empty() ? test_with_emulations(context, *options)
                                     : test_with_kernels(context, *options);
    };
  });
}

}  // namespace evoke::cli
