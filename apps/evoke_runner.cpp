// The child process that compiles or runs candidates for the judge. Not meant
// to be started by hand: docs/runner-protocol.md says what it speaks.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/evaluation/protocol/messages.h"
#include "evoke/evaluation/runner/confined_program.h"
#include "evoke/evaluation/runner/runner.h"

int main(int argc, char** argv) {
  evoke::runner::RunnerOptions options;
  std::string role;
  CLI::App app(
      "Compiles or runs kernels for evoke, over the socket in --fd. Started "
      "by evoke itself.");
  app.add_option("--role", role, "compile, execute, baseline or measure")
      ->required();
  app.add_option("--device", options.device, "cpu, cuda or metal");
  app.add_option("--baseline", options.baseline, "name of a baseline");
  app.add_option("--threads", options.num_threads, "0: one per core");
  app.add_option("--private-folder", options.private_folder,
                 "the one folder that a compiler may write");
  app.add_option("--readable", options.readable,
                 "more folders to read and start programs from");
  app.add_option("--cpu-seconds", options.cpu_seconds,
                 "processor time of this process; 0: no limit");
  app.add_option("--fd", options.fd, "the connected socket");
  std::string program;
  std::vector<std::string> arguments;
  app.add_option("--exec", program,
                 "become this program, behind the walls of --role, and serve "
                 "nobody");
  app.add_option("arguments", arguments, "its arguments, after --");
  try {
    app.parse(argc, argv);
    const auto parsed = evoke::protocol::parse_role(role);
    if (!parsed) throw evoke::UsageError(parsed.error().message);
    options.role = *parsed;
    if (!program.empty()) {
      arguments.insert(arguments.begin(), program);
      throw evoke::StartupError(
          evoke::runner::become_program(options, arguments));
    }
    return evoke::runner::run(options);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const evoke::UsageError& error) {
    std::fprintf(stderr, "evoke_runner: %s\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "evoke_runner: %s\n", error.what());
    return 1;
  }
}
