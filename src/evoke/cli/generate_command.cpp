#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "evoke/cli/commands.h"

namespace evoke::cli {
namespace {

// Becomes the program that has MLX, with the same options; evoke itself never
// loads it.
int become_model(const Context& context, std::vector<std::string> options) {
  const std::string program = context.program_folder + "/evoke_model";
  options.insert(options.begin(), {program, "generate"});
  if (context.json) options.emplace_back("--json");
  std::vector<char*> arguments;
  for (std::string& option : options) arguments.push_back(option.data());
  arguments.push_back(nullptr);
  ::execv(program.c_str(), arguments.data());
  if (errno == ENOENT) {
    throw StartupError(program +
                       " is missing: it is built where MLX is found (./evoke "
                       "installs its wheel into .venv and builds)");
  }
  throw StartupError(program + " does not start: " + std::strerror(errno));
}

}  // namespace

void add_generate(CLI::App& app, Context& context, Command& chosen) {
  auto* command = app.add_subcommand(
      "generate", "Continues a prompt with a Qwen3 model folder, on MLX");
  // evoke_model knows its options, --help too.
  command->prefix_command();
  command->set_help_flag();
  command->fallthrough(false);
  command->callback([&context, &chosen, command] {
    chosen = [&context, command] {
      return become_model(context, command->remaining());
    };
  });
}

}  // namespace evoke::cli
