#include "evoke/model/model_folder.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "evoke/base/fd.h"
#include "evoke/base/utf8.h"

namespace evoke::model {
namespace {

namespace fs = std::filesystem;

fs::path variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

fs::path hub_cache() {
  if (const fs::path cache = variable("HF_HUB_CACHE"); !cache.empty()) {
    return cache;
  }
  if (const fs::path home = variable("HF_HOME"); !home.empty()) {
    return home / "hub";
  }
  if (const fs::path cache = variable("XDG_CACHE_HOME"); !cache.empty()) {
    return cache / "huggingface" / "hub";
  }
  return variable("HOME") / ".cache" / "huggingface" / "hub";
}

// "ORGANISATION/NAME", with nothing that leads elsewhere.
bool is_hub_name(std::string_view name) {
  const auto is_part = [](std::string_view part) {
    return !part.empty() && part.front() != '.' &&
           std::all_of(part.begin(), part.end(), [](unsigned char c) {
             return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
           });
  };
  const auto slash = name.find('/');
  return slash != std::string_view::npos && is_part(name.substr(0, slash)) &&
         is_part(name.substr(slash + 1));
}

// The commit that a branch or tag stood for when it was downloaded; a commit
// stands for itself.
std::string commit_of(const fs::path& repository, const std::string& revision) {
  const auto text = read_file((repository / "refs" / revision).string());
  if (!text) return revision;
  const auto end = text->find_last_not_of(" \r\n");
  return end == std::string::npos ? revision : text->substr(0, end + 1);
}

}  // namespace

Result<fs::path> find_model_folder(const std::string& model) {
  std::error_code ignored;
  if (fs::is_directory(model, ignored)) return fs::path(model);
  const std::string shown = "'" + one_line(model, 300) + "'";
  if (fs::exists(model, ignored)) {
    return failed(shown + " is a file; --model takes the folder it is in");
  }
  const auto at = model.find('@');
  const std::string name = model.substr(0, at);
  const std::string revision =
      at == std::string::npos ? "main" : model.substr(at + 1);
  if (!is_hub_name(name) || revision.empty() ||
      revision.find("..") != std::string::npos) {
    return absent(shown +
                  ": no such folder (a name on the hub reads "
                  "ORGANISATION/NAME)");
  }
  const fs::path cache = hub_cache();
  std::string folder = "models--" + name;
  folder.replace(folder.find('/'), 1, "--");
  const fs::path repository = cache / folder;
  const fs::path snapshot =
      repository / "snapshots" / commit_of(repository, revision);
  if (fs::is_directory(snapshot, ignored)) return snapshot;
  return absent(shown + ": no such folder, and not in the hub's cache " +
                cache.string() + "; evoke downloads nothing: 'hf download " +
                name + "' gets it");
}

}  // namespace evoke::model
