// What every subcommand shares: where it writes, how, and the paths of the
// programs beside this one.
#pragma once

#include <string>

namespace evoke::cli {

struct Context {
  bool json = false;   // --json: one JSON document on standard output
  bool color = false;  // a terminal, and NO_COLOR unset
  bool stdout_is_tty = false;
  int terminal_columns = 80;
  std::string program_folder;  // of the running executable
  std::string command_line;    // "evoke compare --model ...", for records

  std::string runner_path() const;
};

Context make_context();

// SGR escapes that vanish without colour.
std::string bold(const Context& context, const std::string& text);
std::string green(const Context& context, const std::string& text);
std::string red(const Context& context, const std::string& text);
std::string dim(const Context& context, const std::string& text);

}  // namespace evoke::cli
