#include "evoke/devices/metal/mlx_utilities.h"

#include <fmt/format.h>

#include <set>
#include <sstream>
#include <string_view>

#include "evoke/base/fd.h"

namespace evoke::metal {
namespace {

class Flattener {
 public:
  explicit Flattener(std::string include) : include_(std::move(include)) {}

  Result<std::string> run(const std::string& name) {
    if (auto added = add(name); !added) return error_of(added);
    return std::move(out_);
  }

 private:
  // What `line` includes by name in quotes; empty when it is another line.
  static std::string included(std::string_view line) {
    constexpr std::string_view kInclude = "#include \"";
    if (!line.starts_with(kInclude)) return {};
    line.remove_prefix(kInclude.size());
    return std::string(line.substr(0, line.find('"')));
  }

  // Headers that a header needs stand before it.
  Result<void> add(const std::string& name) {
    if (!seen_.insert(name).second) return {};
    const auto text = read_file(include_ + "/" + name);
    if (!text) return error_of(text);
    std::istringstream lines(*text);
    std::string own;
    for (std::string line; std::getline(lines, line);) {
      const std::string other = included(line);
      if (!other.empty()) {
        if (auto added = add(other); !added) return added;
      } else if (line.find("#pragma once") == line.npos) {
        own += line + '\n';
      }
    }
    out_ += fmt::format("#line 1 \"{}\"\n{}", name, own);
    return {};
  }

  std::string include_;
  std::set<std::string> seen_;
  std::string out_;
};

}  // namespace

Result<std::string> mlx_utilities(const std::string& include) {
  return Flattener(include).run("mlx/backend/metal/kernels/utils.h");
}

}  // namespace evoke::metal
