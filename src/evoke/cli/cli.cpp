#include "evoke/cli/cli.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <string>

#include "evoke/base/log.h"
#include "evoke/cli/commands.h"
#include "evoke/cli/context.h"
#include "evoke/cli/interrupt.h"

namespace evoke::cli {
namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;

constexpr const char* kExamples = R"(
Examples:
  evoke evolve                            search on this machine, then report
  evoke evolve mine.cpp --time-budget 10m start from your own kernel
  evoke verify mine.cpp                   is it right? the whole gate
  evoke bench mine.cpp                    is it faster? paired timing
  evoke selftest                          what the gate catches, as a matrix
  evoke generate --model DIR --prompt TEXT  run a Qwen3 model
  evoke doctor                            what this machine can do)";

int fail(const std::string& message, int code) {
  std::fprintf(stderr, "evoke: %s\n", message.c_str());
  return code;
}

}  // namespace

int run(int argc, char** argv) {
  Context context = make_context();
  context.command_line = "evoke";
  for (int i = 1; i < argc; ++i) {
    context.command_line += std::string(" ") + argv[i];
  }
  watch_interrupts();
  Command chosen;
  CLI::App app(
      "evoke evolves attention kernels and proves whether they are faster.");
  app.name("evoke");
  app.set_version_flag("--version", EVOKE_VERSION);
  app.footer(kExamples);
  app.require_subcommand(1);
  app.fallthrough();
  app.add_flag("--json", context.json, "One JSON document on standard output");
  std::string log_level;
  app.add_option("--log-level", log_level,
                 "trace, debug, info, warn, error or off");
  add_evolve(app, context, chosen);
  add_verify(app, context, chosen);
  add_bench(app, context, chosen);
  add_profile(app, context, chosen);
  add_selftest(app, context, chosen);
  add_status(app, context, chosen);
  add_inspect(app, context, chosen);
  add_report(app, context, chosen);
  add_export(app, context, chosen);
  add_compare(app, context, chosen);
  add_generate(app, context, chosen);
  add_inbox(app, context, chosen);
  add_import(app, context, chosen);
  add_doctor(app, context, chosen);
  try {
    app.parse(argc, argv);
    if (!log_level.empty()) set_log_level(log_level);
    return chosen();
  } catch (const CLI::Success& success) {  // --help, --version
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    if (app.get_subcommands().empty() && !app.remaining().empty()) {
      return fail("'" + app.remaining().front() +
                      "' is no command (evoke --help lists what there is)",
                  kUsage);
    }
    return fail(
        std::string(error.what()) + " (evoke --help lists what there is)",
        kUsage);
  } catch (const UsageError& error) {
    return fail(error.what(), kUsage);
  } catch (const std::exception& error) {
    return fail(error.what(), kFailed);
  }
}

}  // namespace evoke::cli
