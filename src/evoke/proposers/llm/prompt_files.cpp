#include "evoke/proposers/llm/prompt_files.h"

#include <fmt/format.h>

#include <filesystem>
#include <set>
#include <stdexcept>
#include <system_error>

#include "evoke/base/atomic_file.h"
#include "evoke/base/fd.h"
#include "evoke/base/spelling.h"
#include "evoke/base/utf8.h"
#include "evoke/proposers/llm/embedded_texts.h"

namespace evoke::llm {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFolder = "prompts/";
constexpr std::string_view kSuffix = ".txt";
constexpr std::size_t kLongest = 1 << 20;

// What templates can name; docs/llm.md says what each holds.
const std::set<std::string, std::less<>>& value_names() {
  static const std::set<std::string, std::less<>> names = {
      "answer",     "attempt",       "constants", "contract",    "device",
      "dialect",    "dialect_rules", "elites",    "failed_file", "failure",
      "nonce",      "operation",     "parent",    "parent_file", "problem",
      "refusal",    "scalars",       "shapes",    "siblings",    "sizes",
      "strategies", "tensors",       "tried"};
  return names;
}

}  // namespace

std::vector<std::string> PromptFiles::names() {
  std::vector<std::string> names;
  for (const std::string_view name : embedded_text_names()) {
    if (!name.starts_with(kFolder)) continue;
    names.emplace_back(name.substr(
        kFolder.size(), name.size() - kFolder.size() - kSuffix.size()));
  }
  return names;
}

PromptFiles::Files PromptFiles::built_in_files() {
  Files files;
  for (const std::string& name : names()) {
    files[name] = {fmt::format("built-in prompt {}", name),
                   std::string(embedded_text(
                       fmt::format("{}{}{}", kFolder, name, kSuffix)))};
  }
  return files;
}

Result<void> PromptFiles::parse(const Files& files) {
  const auto lookup = [&](std::string_view name) -> const TemplateSource* {
    const auto found = files.find(name);
    return found == files.end() ? nullptr : &found->second;
  };
  templates_.clear();
  for (const auto& [name, file] : files) {
    auto parsed = PromptTemplate::parse(file, value_names(), lookup);
    if (!parsed) return error_of(parsed);
    templates_.emplace(name, *std::move(parsed));
  }
  return {};
}

PromptFiles::PromptFiles() {
  const auto parsed = parse(built_in_files());
  if (!parsed) throw std::logic_error(parsed.error().message);
}

Result<PromptFiles> PromptFiles::with_folder(const std::string& folder) {
  std::error_code error;
  Files files = built_in_files();
  fs::directory_iterator entries(folder, error);
  if (error) {
    return failed(fmt::format("{}: {}; name a folder of prompt files", folder,
                              error.message()));
  }
  for (const auto& entry : entries) {
    const fs::path& path = entry.path();
    if (path.extension() != kSuffix) continue;
    const auto found = files.find(path.stem().string());
    if (found == files.end()) {
      return failed(fmt::format(
          "{}: no prompt is called so{}; remove it or rename it", path.string(),
          did_you_mean(path.stem().string(), names())));
    }
    auto text = read_file(path.string());
    if (!text) return error_of(text);
    if (text->size() > kLongest ||
        find_invalid_utf8(*text) != std::string::npos) {
      return failed(fmt::format("{}: a prompt is at most 1 MiB of UTF-8 text",
                                path.string()));
    }
    found->second = {path.string(), *std::move(text)};
  }
  PromptFiles result;
  if (const auto parsed = result.parse(files); !parsed) return error_of(parsed);
  return result;
}

Result<void> PromptFiles::write_to(const std::string& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  for (const auto& [name, file] : built_in_files()) {
    const std::string path = fmt::format("{}/{}{}", folder, name, kSuffix);
    if (fs::exists(path, error)) {
      return failed(
          fmt::format("{}: is there already; name an empty folder", path));
    }
    const auto written = write_file_atomically(path, file.text);
    if (!written) return written;
  }
  return {};
}

}  // namespace evoke::llm
