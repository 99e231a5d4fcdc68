#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "evoke/base/atomic_file.h"
#include "evoke/base/fd.h"
#include "evoke/cli/commands.h"
#include "evoke/interchange/import_program.h"
#include "evoke/interchange/metal_text.h"
#include "evoke/interchange/run_program.h"

namespace evoke::cli {
namespace {

struct Options {
  std::string program;
  std::string output;
  std::string function;
};

KernelSource import_python(const std::string& text, const Context& context,
                           const Options& options) {
  RunProgramOptions run;
  run.runner = context.runner_path();
  run.python = default_python();
  run.function = options.function;
  const auto recorded = [&](const std::vector<Symbols>& samples) {
    auto record = run_program(text, samples, run);
    if (!record) {
      throw StartupError(options.program + ": " + record.error().message);
    }
    return std::move(*record);
  };
  ProgramRecord record = recorded(usual_samples());
  if (!record.plan.empty()) {
    // Its own plan says at which sizes each of its kernels is launched.
    const VariantSamples samples =
        samples_for(value_or_throw(plan_of(record, options.program)));
    for (const std::string& name : samples.without) {
      fmt::print(stderr, "evoke: no size was found that takes variant '{}'\n",
                 name);
    }
    record = recorded(samples.samples);
  }
  return value_or_throw(import_record(record, options.program));
}

int import_program(const Context& context, const Options& options) {
  const std::string text = value_or_throw(read_file(options.program));
  const KernelSource kernel =
      is_metal_text(text)
          ? value_or_throw(from_metal_text(text, options.program))
          : import_python(text, context, options);
  if (options.output.empty()) {
    std::fputs(kernel.text().c_str(), stdout);
  } else {
    value_or_throw(write_file_atomically(options.output, kernel.text()));
    fmt::print(stderr, "evoke: written to {}\n", options.output);
  }
  if (kernel.plan().problem != "attention") {
    fmt::print(stderr,
               "evoke: '{}' is not a problem that evoke has: the file can be "
               "read, but not judged\n",
               kernel.plan().problem);
  }
  return 0;
}

}  // namespace

void add_import(CLI::App& app, Context& context, Command& chosen) {
  auto* command = app.add_subcommand(
      "import",
      "A kernel file from a Python program that calls mx.fast.metal_kernel, "
      "or from exported Metal source");
  auto options = std::make_shared<Options>();
  command
      ->add_option("program", options->program,
                   "A .py file (it is run, confined), or a text of export "
                   "--format metal")
      ->required();
  command->add_option("--output,-o", options->output,
                      "Where to write (default: standard output)");
  command->add_option("--function", options->function,
                      "Takes queries, keys and values (default: the first "
                      "whose parameters begin with q, k and v)");
  command->footer(R"(
Examples:
  evoke import program.py -o mine.metal
  evoke import program.py --function attention -o mine.metal)");
  command->callback([&context, &chosen, options] {
    if (!options->output.empty() &&
        std::filesystem::path(options->output).extension() != ".metal") {
      throw UsageError("import --output " + options->output +
                       ": kernel files of the metal dialect end in .metal");
    }
    chosen = [&context, options] { return import_program(context, *options); };
  });
}

}  // namespace evoke::cli
