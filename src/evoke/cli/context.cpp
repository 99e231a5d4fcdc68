#include "evoke/cli/context.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "evoke/base/program_path.h"

namespace evoke::cli {
namespace {

std::string escape(const Context& context, const char* code,
                   const std::string& text) {
  if (!context.color) return text;
  return std::string("\x1b[") + code + "m" + text + "\x1b[0m";
}

}  // namespace

std::string Context::runner_path() const {
  return program_folder + "/evoke_runner";
}

Context make_context() {
  Context context;
  context.stdout_is_tty = isatty(STDOUT_FILENO) == 1;
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  context.color = context.stdout_is_tty && (!no_color || !*no_color) && term &&
                  std::string(term) != "dumb";
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    context.terminal_columns = size.ws_col;
  }
  context.program_folder =
      std::filesystem::path(program_path()).parent_path().string();
  return context;
}

std::string bold(const Context& context, const std::string& text) {
  return escape(context, "1", text);
}
std::string green(const Context& context, const std::string& text) {
  return escape(context, "32", text);
}
std::string red(const Context& context, const std::string& text) {
  return escape(context, "31", text);
}
std::string dim(const Context& context, const std::string& text) {
  return escape(context, "2", text);
}

}  // namespace evoke::cli
