#include "evoke/cli/model_process.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <utility>

#include "evoke/base/subprocess.h"
#include "evoke/cli/interrupt.h"

namespace evoke::cli {
namespace {

constexpr int64_t kPollMs = 100;
// Ten thousand tokens, their text and what was said before.
constexpr std::size_t kOutputBytes = std::size_t{8} << 20;

// The document begins on a line of its own, below warnings.
std::optional<Json> document_in(const std::string& output) {
  std::size_t at = output.starts_with('{') ? 0 : output.find("\n{");
  if (at == std::string::npos) return {};
  if (output[at] == '\n') ++at;
  Json json = Json::parse(output.substr(at), nullptr, false);
  if (!json.is_object()) return {};
  return json;
}

std::string last_line(std::string text) {
  while (text.ends_with('\n')) text.pop_back();
  const std::size_t begin = text.rfind('\n');
  return begin == std::string::npos ? text : text.substr(begin + 1);
}

}  // namespace

std::string model_program(const Context& context) {
  std::string program = context.program_folder + "/evoke_model";
  if (!std::filesystem::exists(program)) {
    throw StartupError(program +
                       " is missing: it is built where MLX is found (./evoke "
                       "installs its wheel into .venv and builds)");
  }
  return program;
}

Result<Json> run_model(const Context& context,
                       std::vector<std::string> arguments) {
  SubprocessOptions options;
  options.arguments = {model_program(context)};
  options.arguments.insert(options.arguments.end(), arguments.begin(),
                           arguments.end());
  options.arguments.emplace_back("--json");
  for (char** each = environ; *each != nullptr; ++each) {
    options.environment.emplace_back(*each);
  }
  options.output_tail_bytes = kOutputBytes;
  auto process = Subprocess::start(options);
  if (!process) return error_of(process);
  std::optional<ExitStatus> status;
  while (!(status = process->wait(kPollMs))) {
    if (!interrupted()) continue;
    process->kill();
    return timed_out("interrupted");
  }
  if (!status->ok()) {
    const std::string said = last_line(process->output());
    return failed(status->signal != 0
                      ? fmt::format("evoke_model was ended by signal {}{}{}",
                                    status->signal, said.empty() ? "" : ": ",
                                    said)
                      : said);
  }
  auto json = document_in(process->output());
  if (!json) return failed("evoke_model printed no JSON document");
  return std::move(*json);
}

}  // namespace evoke::cli
