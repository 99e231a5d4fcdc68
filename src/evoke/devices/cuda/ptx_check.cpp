#include "evoke/devices/cuda/ptx_check.h"

#include <cxxabi.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>

namespace evoke::cuda {
namespace {

struct Refusal {
  std::string_view word;  // a whole word of PTX; '*' at the end: its beginning
  std::string_view reason;
};

constexpr std::string_view kTime = "kernels may not tell the time";
constexpr Refusal kRefusals[] = {
    {"%clock*", kTime},
    {"%globaltimer*", kTime},
    {"%pm*", kTime},
    {"nanosleep*", kTime},
    {"pmevent*", kTime},
    {"cvta.const*", "the address of __constant__ memory could be written to"},
    {"vprintf", "kernels may not print"},
    {"malloc", "kernels may not allocate memory"},
    {"free", "kernels may not allocate memory"},
    {"cudaLaunchDevice*", "kernels may not launch kernels"},
    {"tensormap.replace*",
     "tensor maps come from the plan and are not changed"},
    {"tensormap.cp_fenceproxy*",
     "tensor maps come from the plan and are not changed"}};

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' ||
         c == '$' || c == '%' || c == '.';
}

bool matches(std::string_view word, std::string_view pattern) {
  if (pattern.ends_with('*')) {
    return word.starts_with(pattern.substr(0, pattern.size() - 1));
  }
  return word == pattern;
}

// Behind the comment or string that begins at `at`; `at` where none does.
std::size_t after_comment(std::string_view ptx, std::size_t at) {
  const std::string_view rest = ptx.substr(at);
  std::string_view end;
  if (rest.starts_with("//")) end = "\n";
  if (rest.starts_with("/*")) end = "*/";
  if (rest.starts_with("\"")) end = "\"";
  if (end.empty()) return at;
  const std::size_t found = ptx.find(end, at + (end == "*/" ? 2 : 1));
  return found == ptx.npos ? ptx.size() : found + end.size();
}

// Walks over the words of PTX, without comments.
class PtxCheck {
 public:
  PtxCheck(std::string_view ptx, const std::set<std::string>& waiting)
      : ptx_(ptx), missing_(waiting) {}

  Result<void> run() {
    while (at_ < ptx_.size()) {
      const std::size_t next = after_comment(ptx_, at_);
      if (next != at_) {
        at_ = next;
        continue;
      }
      const char c = ptx_[at_];
      if (c == '{') ++depth_;
      if (c == '}' && --depth_ == 0) entry_.clear();
      if (!is_word(c)) {
        ++at_;
        continue;
      }
      const std::size_t begin = at_;
      while (at_ < ptx_.size() && is_word(ptx_[at_])) ++at_;
      const std::string_view word = ptx_.substr(begin, at_ - begin);
      if (auto taken = take(word); !taken) return taken;
    }
    if (auto stateless = check_variables(); !stateless) return stateless;
    if (missing_.empty()) return {};
    return failed(fmt::format(
        "the kernel '{}' is launched with pdl = true and has no "
        "griddepcontrol.wait: it would read what the launch before it is still "
        "writing; wait before the first such read",
        kernel_name(*missing_.begin())));
  }

 private:
  static std::string_view kernel_name(std::string_view entry) {
    constexpr std::string_view kPrefix = "evoke_run_";
    return entry.starts_with(kPrefix) ? entry.substr(kPrefix.size()) : entry;
  }

  // Variables that no instruction names cannot be reached: NVRTC writes down
  // every constexpr of the text.
  Result<void> check_variables() const {
    for (const auto& [name, uses] : variables_) {
      if (uses == 0) continue;
      return failed(fmt::format(
          "the device variable '{}' is refused: kernels may not remember "
          "anything between launches; tables are __constant__, buffers "
          "[scratch]",
          variable_name(name)));
    }
    return {};
  }

  // "evoke_run_scale(...)::count" as "count".
  static std::string variable_name(const std::string& symbol) {
    int status = 0;
    const std::unique_ptr<char, decltype(&std::free)> demangled(
        abi::__cxa_demangle(symbol.c_str(), nullptr, nullptr, &status),
        &std::free);
    const std::string name = demangled ? demangled.get() : symbol;
    const std::size_t at = name.rfind("::");
    return at == name.npos ? name : name.substr(at + 2);
  }

  Result<void> take(std::string_view word) {
    for (const Refusal& refusal : kRefusals) {
      if (matches(word, refusal.word)) {
        return failed(fmt::format("'{}' is refused: {}", word, refusal.reason));
      }
    }
    if (word == ".entry") {
      name_follows_ = true;
    } else if (name_follows_) {
      entry_ = std::string(word);
      name_follows_ = false;
    } else if (word == "griddepcontrol.wait") {
      missing_.erase(entry_);
    } else if (word == ".global") {
      declares_ = true;
    } else if (declares_ && !word.starts_with('.') &&
               std::isdigit(static_cast<unsigned char>(word[0])) == 0) {
      variables_.try_emplace(std::string(word), 0);
      declares_ = false;
    } else if (const auto variable = variables_.find(word);
               variable != variables_.end()) {
      ++variable->second;
    }
    return {};
  }

  std::string_view ptx_;
  std::set<std::string> missing_;
  std::string entry_;  // whose body it is; empty in other functions
  std::size_t at_ = 0;
  int depth_ = 0;
  bool name_follows_ = false;
  bool declares_ = false;
  std::map<std::string, int, std::less<>> variables_;  // with uses
};

}  // namespace

Result<void> check_ptx(std::string_view ptx,
                       const std::set<std::string>& waiting) {
  return PtxCheck(ptx, waiting).run();
}

}  // namespace evoke::cuda
