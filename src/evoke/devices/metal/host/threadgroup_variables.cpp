#include "evoke/devices/metal/host/threadgroup_variables.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

namespace evoke::metal::host {
namespace {

using Kind = TextToken::Kind;

constexpr std::array<std::string_view, 5> kQualifiers{
    "const", "volatile", "static", "alignas", "constexpr"};

bool is_qualifier(std::string_view word) {
  return std::find(kQualifiers.begin(), kQualifiers.end(), word) !=
         kQualifiers.end();
}

class Finder {
 public:
  Finder(std::string_view text, const std::vector<TextToken>& tokens)
      : text_(text), tokens_(tokens) {}

  std::vector<ThreadgroupDeclaration> run() {
    std::vector<ThreadgroupDeclaration> found;
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      if (!tokens_[i].is("threadgroup") || tokens_[i].in_directive) continue;
      if (auto declaration = read(i)) found.push_back(std::move(*declaration));
    }
    return found;
  }

 private:
  bool is(std::size_t i, std::string_view text) const {
    return i < tokens_.size() && tokens_[i].is(text);
  }

  // The first token of the statement; none: it is not at one's start.
  std::optional<std::size_t> statement_start(std::size_t keyword) const {
    std::size_t first = keyword;
    while (first > 0) {
      const TextToken& before = tokens_[first - 1];
      if (before.in_directive || before.is(";") || before.is("{") ||
          before.is("}")) {
        return first;
      }
      if (before.is(")")) {  // alignas(16)
        std::size_t open = first - 1;
        while (open > 0 && !tokens_[open].is("(")) --open;
        if (open == 0 || !tokens_[open - 1].is("alignas")) return std::nullopt;
        first = open - 1;
      } else if (is_qualifier(before.text)) {
        --first;
      } else {
        return std::nullopt;
      }
    }
    return first;
  }

  // After the bracket that closes the one at `i`.
  std::size_t after_bracket(std::size_t i, std::string_view open,
                            std::string_view close) const {
    int depth = 0;
    for (; i < tokens_.size(); ++i) {
      if (tokens_[i].is(open)) ++depth;
      if (tokens_[i].is(close) && --depth == 0) return i + 1;
      if (tokens_[i].is(";") && open == "<") return i;
    }
    return i;
  }

  std::string between(std::size_t first, std::size_t last) const {
    if (first >= last) return {};
    return std::string(text_.substr(
        tokens_[first].begin, tokens_[last - 1].end() - tokens_[first].begin));
  }

  std::optional<ThreadgroupDeclaration> read(std::size_t keyword) const {
    const auto start = statement_start(keyword);
    if (!start) return std::nullopt;
    ThreadgroupDeclaration declaration;
    declaration.begin = tokens_[*start].begin;
    declaration.line = tokens_[keyword].line;
    declaration.type = between(*start, keyword);
    std::size_t i = keyword + 1;
    const std::size_t type_begin = i;
    // The type ends before the name that [ ; , = or { follow.
    while (i < tokens_.size()) {
      const TextToken& token = tokens_[i];
      if (token.is("<")) {
        i = after_bracket(i, "<", ">");
      } else if (token.is("alignas") && is(i + 1, "(")) {
        i = after_bracket(i + 1, "(", ")");
      } else if (token.is("::")) {
        ++i;
      } else if (token.kind != Kind::word) {
        return std::nullopt;  // a pointer, a reference, a function
      } else if (is(i + 1, "[") || is(i + 1, ";") || is(i + 1, ",") ||
                 is(i + 1, "=") || is(i + 1, "{")) {
        break;
      } else {
        ++i;
      }
    }
    if (i == type_begin) return std::nullopt;
    if (!declaration.type.empty()) declaration.type += ' ';
    declaration.type += between(type_begin, i);
    while (i < tokens_.size() && tokens_[i].kind == Kind::word) {
      ThreadgroupDeclaration::Variable variable;
      variable.name = std::string(tokens_[i].text);
      const std::size_t extents = ++i;
      while (is(i, "[")) i = after_bracket(i, "[", "]");
      variable.extents = between(extents, i);
      if (is(i, "=") || is(i, "{")) {
        variable.initialised = true;
        int depth = 0;
        while (i < tokens_.size()) {
          const TextToken& token = tokens_[i];
          if (token.is("(") || token.is("{") || token.is("[")) ++depth;
          if (token.is(")") || token.is("}") || token.is("]")) --depth;
          if (depth == 0 && (token.is(",") || token.is(";"))) break;
          ++i;
        }
      }
      declaration.variables.push_back(std::move(variable));
      if (!is(i, ",")) break;
      ++i;
    }
    if (!is(i, ";")) return std::nullopt;
    declaration.end = tokens_[i].end();
    return declaration;
  }

  std::string_view text_;
  const std::vector<TextToken>& tokens_;
};

}  // namespace

std::vector<ThreadgroupDeclaration> threadgroup_declarations(
    std::string_view text, const std::vector<TextToken>& tokens) {
  return Finder(text, tokens).run();
}

}  // namespace evoke::metal::host
