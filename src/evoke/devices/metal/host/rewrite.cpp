#include "evoke/devices/metal/host/rewrite.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <iterator>
#include <vector>

#include "evoke/devices/metal/host/kernel_abi.h"
#include "evoke/devices/metal/host/source_text.h"
#include "evoke/devices/metal/host/threadgroup_variables.h"

namespace evoke::metal::host {
namespace {

struct Replacement {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string text;
};

// The sum of what a scope and those around it have in threadgroup memory,
// as a name in the text. Scopes beside each other are added up when the kernel
// runs.
class Totals {
 public:
  void open() { names_.push_back(names_.back()); }
  void close() {
    if (names_.size() > 1) names_.pop_back();
  }
  // Declares the sum with the variable, and refuses one that is too large.
  std::string add(const std::string& variable) {
    const std::string sum = fmt::format("evoke_total_{}", ++count_);
    std::string text = fmt::format(
        "constexpr unsigned long {1} = {2} + sizeof(evoke_type_{0}); "
        "static_assert({1} <= {3}, \"with '{0}' the kernel needs more than {3} "
        "bytes of threadgroup memory\"); ",
        variable, sum, names_.back(), kEvokeMetalThreadgroupBytes);
    names_.back() = sum;
    return text;
  }

 private:
  std::vector<std::string> names_{"0"};
  int count_ = 0;
};

// All on one line, then as many line ends as there were.
Replacement replacement_of(std::string_view text,
                           const ThreadgroupDeclaration& declaration,
                           Totals& totals) {
  Replacement result{declaration.begin, declaration.end, {}};
  for (const auto& variable : declaration.variables) {
    fmt::format_to(
        std::back_inserter(result.text),
        "using evoke_type_{0} = {1} {2}; threadgroup evoke_type_{0}& {0} = "
        "evoke_threadgroup<threadgroup evoke_type_{0}>("
        "EVOKE_METAL_VARIABLE(evoke_type_{0}, \"{0}\")); ",
        variable.name, declaration.type, variable.extents);
    result.text += totals.add(variable.name);
  }
  std::replace(result.text.begin(), result.text.end(), '\n', ' ');
  result.text.append(
      static_cast<std::size_t>(std::count(
          text.begin() + static_cast<std::ptrdiff_t>(declaration.begin),
          text.begin() + static_cast<std::ptrdiff_t>(declaration.end), '\n')),
      '\n');
  return result;
}

// "1.5h" as 1.5_evoke_h. Of hexadecimal numbers, f is a digit.
void add_literal(const TextToken& token, std::vector<Replacement>& out) {
  const std::string_view text = token.text;
  if (text.size() < 2 || text.starts_with("0x") || text.starts_with("0X")) {
    return;
  }
  const bool bfloat = text.ends_with("bf") || text.ends_with("BF");
  const bool half = text.ends_with('h') || text.ends_with('H');
  if (!bfloat && !half) return;
  const std::size_t length = text.size() - (bfloat ? 2 : 1);
  if (text.substr(0, length).find_first_of(".eE") == text.npos) return;
  out.push_back(
      {token.begin + length, token.end(), bfloat ? "_evoke_bf" : "_evoke_h"});
}

// From one token to the end of its line, or through its semicolon.
std::size_t line_end(std::string_view text, std::size_t begin) {
  return std::min(text.find('\n', begin), text.size());
}

}  // namespace

std::string rewrite(std::string_view text) {
  const auto tokens = text_tokens(text);
  std::vector<Replacement> replacements;
  Totals totals;
  auto at = tokens.begin();
  for (const auto& declaration : threadgroup_declarations(text, tokens)) {
    for (; at != tokens.end() && at->begin < declaration.begin; ++at) {
      if (at->is("{")) totals.open();
      if (at->is("}")) totals.close();
    }
    replacements.push_back(replacement_of(text, declaration, totals));
  }
  const auto is = [&](std::size_t i, std::string_view word) {
    return i < tokens.size() && tokens[i].is(word);
  };
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const TextToken& token = tokens[i];
    if (token.kind == TextToken::Kind::number) {
      add_literal(token, replacements);
    } else if (token.is("#") && token.in_directive && is(i + 1, "include")) {
      replacements.push_back({token.begin, line_end(text, token.begin), {}});
    } else if (token.is("template") && is(i + 1, "[") && is(i + 2, "[") &&
               is(i + 3, "host_name")) {
      const std::size_t end = text.find(';', token.begin);
      if (end == text.npos) continue;
      Replacement gone{token.begin, end + 1, {}};
      gone.text.append(
          static_cast<std::size_t>(std::count(
              text.begin() + static_cast<std::ptrdiff_t>(token.begin),
              text.begin() + static_cast<std::ptrdiff_t>(end), '\n')),
          '\n');
      replacements.push_back(std::move(gone));
    }
  }
  std::sort(replacements.begin(), replacements.end(),
            [](const auto& a, const auto& b) { return a.begin < b.begin; });
  std::string out;
  std::size_t done = 0;
  for (const Replacement& each : replacements) {
    if (each.begin < done) continue;  // inside of one that is done
    out += text.substr(done, each.begin - done);
    out += each.text;
    done = each.end;
  }
  out += text.substr(done);
  return out;
}

}  // namespace evoke::metal::host
