#include "evoke/evaluation/judge/validation_tool.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "evoke/evaluation/protocol/messages.h"

namespace evoke::judge {
namespace {

namespace fs = std::filesystem;

constexpr const char* kShaderValidation = "shader validation";
// compute-sanitizer ends with this when it found something.
constexpr int kFoundSomething = 86;
constexpr std::string_view kSanitizerMark = "========= ";
constexpr int kMaxLines = 6;

std::vector<fs::path> sanitizer_folders() {
  std::vector<fs::path> folders;
  const auto add = [&](const char* variable, const char* below) {
    const char* const root = std::getenv(variable);
    if (root != nullptr && *root != 0)
      folders.push_back(fs::path(root) / below);
  };
  add("EVOKE_CUDA_BIN", "");
  add("CUDA_HOME", "bin");
  add("CUDA_PATH", "bin");
  if (const char* const root = std::getenv("VIRTUAL_ENV"); root != nullptr) {
    std::error_code error;
    for (const auto& each :
         fs::directory_iterator(fs::path(root) / "lib", error)) {
      folders.push_back(each.path() / "site-packages/nvidia/cu13/bin");
    }
  }
  folders.emplace_back("/usr/local/cuda/bin");
  return folders;
}

ValidationTool compute_sanitizer(const std::string& program,
                                 const std::string& tool) {
  return {tool,
          {program, "--tool", tool, "--error-exitcode",
           std::to_string(kFoundSomething), "--check-exit-code", "no",
           "--show-backtrace", "no", "--print-limit", "3"},
          {}};
}

// Whether the line is worth a reader's time, and the part that is.
std::string_view words_of(const ValidationTool& tool, std::string_view line) {
  if (tool.name == kShaderValidation) return line;
  if (!line.starts_with(kSanitizerMark)) return {};
  line.remove_prefix(kSanitizerMark.size());
  for (const std::string_view boring :
       {"COMPUTE-SANITIZER", "SUMMARY", "Saved host", "Host Frame"}) {
    if (line.find(boring) != line.npos) return {};
  }
  return line;
}

}  // namespace

std::string find_compute_sanitizer() {
  for (const fs::path& folder : sanitizer_folders()) {
    const std::string path = (folder / "compute-sanitizer").string();
    if (::access(path.c_str(), X_OK) == 0) return path;
  }
  return {};
}

std::vector<ValidationTool> validation_tools(const protocol::Greeting& device) {
  std::vector<ValidationTool> tools;
  if (device.device_kind == "cuda") {
    const std::string program = find_compute_sanitizer();
    if (program.empty()) return {};
    for (const char* tool :
         {"memcheck", "racecheck", "initcheck", "synccheck"}) {
      tools.push_back(compute_sanitizer(program, tool));
    }
  }
  // Only Apple's Metal has memory of its own; its host stand-in watches
  // kernels anyhow.
  if (device.device_kind == "metal" && device.own_memory) {
    tools.push_back(
        {kShaderValidation,
         {},
         {"MTL_SHADER_VALIDATION=1", "MTL_SHADER_VALIDATION_REPORT_TO_STDERR=1",
          "MTL_SHADER_VALIDATION_ABORT_ON_FAULT=1"}});
  }
  return tools;
}

std::string complaint_of(const ValidationTool& tool, const WatchedEnd& end) {
  const bool complains = tool.name == kShaderValidation
                             ? end.status.signal == SIGABRT
                             : end.status.code == kFoundSomething;
  if (!complains) return {};
  std::string complaint;
  std::string_view text = end.output;
  for (int lines = 0; !text.empty() && lines < kMaxLines;) {
    const std::size_t length = std::min(text.find('\n'), text.size());
    const std::string_view words = words_of(tool, text.substr(0, length));
    text.remove_prefix(std::min(length + 1, text.size()));
    if (words.empty()) continue;
    if (lines++ > 0) complaint += '\n';
    complaint += words;
  }
  return complaint.empty() ? "it says nothing more" : complaint;
}

}  // namespace evoke::judge
