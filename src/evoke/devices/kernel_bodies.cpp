#include "evoke/devices/kernel_bodies.h"

#include <algorithm>
#include <cctype>

namespace evoke {
namespace {

constexpr std::string_view kMarker = "KERNEL";

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

// Walks over C++ text, one token at a time, as far as braces need.
class Scanner {
 public:
  explicit Scanner(std::string_view code) : code_(code) {}

  std::size_t at() const { return at_; }
  bool done() const { return at_ >= code_.size(); }

  // Whether the branches of a conditional after the first one are blanks.
  void set_first_branch_only(bool only) { first_branch_only_ = only; }

  // Moves to the next character that is code. Directives count as blanks.
  void skip_blanks() {
    while (!done()) {
      const char c = code_[at_];
      if (c == '\n') {
        line_start_ = true;
        ++at_;
      } else if (std::isspace(static_cast<unsigned char>(c)) != 0) {
        ++at_;
      } else if (code_.substr(at_, 2) == "//") {
        at_ = std::min(code_.find('\n', at_), code_.size());
      } else if (code_.substr(at_, 2) == "/*") {
        const std::size_t end = code_.find("*/", at_ + 2);
        at_ = end == code_.npos ? code_.size() : end + 2;
      } else if (c == '#' && line_start_) {
        skip_directive();
      } else {
        return;
      }
    }
  }

  // The token at at(): a word, a literal, or one character.
  std::string_view take() {
    line_start_ = false;
    const std::size_t begin = at_;
    const char c = code_[at_++];
    if (c == '"' || (c == '\'' && !(begin > 0 && is_digit_before(begin)))) {
      skip_literal(c);
    } else if (is_word(c)) {
      while (!done() && is_word(code_[at_])) ++at_;
    }
    return code_.substr(begin, at_ - begin);
  }

 private:
  // 1'000: a separator of digits, not a character.
  bool is_digit_before(std::size_t at) const {
    return std::isxdigit(static_cast<unsigned char>(code_[at - 1])) != 0;
  }
  void skip_literal(char quote) {
    while (!done() && code_[at_] != quote && code_[at_] != '\n') {
      at_ += code_[at_] == '\\' ? 2 : 1;
    }
    at_ = std::min(at_ + 1, code_.size());
  }

  std::string_view directive_word() const {
    std::size_t begin = at_ + 1;
    while (begin < code_.size() &&
           (code_[begin] == ' ' || code_[begin] == '\t')) {
      ++begin;
    }
    std::size_t end = begin;
    while (end < code_.size() && is_word(code_[end])) ++end;
    return code_.substr(begin, end - begin);
  }
  void skip_line() {
    while (!done()) {
      const std::size_t end = std::min(code_.find('\n', at_), code_.size());
      const bool continued = end > at_ && code_[end - 1] == '\\';
      at_ = std::min(end + 1, code_.size());
      if (!continued) break;
    }
    line_start_ = true;
  }
  void skip_directive() {
    const std::string_view word = directive_word();
    skip_line();
    if (!first_branch_only_) return;
    if (word == "else" || word == "elif") skip_branches();
  }
  // From after an #else or #elif to after its #endif.
  void skip_branches() {
    int depth = 1;
    while (!done() && depth > 0) {
      const std::size_t first = code_.find_first_not_of(" \t", at_);
      if (first != code_.npos && code_[first] == '#') {
        at_ = first;
        const std::string_view word = directive_word();
        if (word.starts_with("if")) ++depth;
        if (word == "endif") --depth;
      }
      skip_line();
    }
  }

  std::string_view code_;
  std::size_t at_ = 0;
  bool line_start_ = true;
  bool first_branch_only_ = false;
};

// After KERNEL: "(name) {...}". Empty when the text is something else.
std::string take_name(Scanner& scanner) {
  const auto next = [&]() -> std::string_view {
    scanner.skip_blanks();
    return scanner.done() ? std::string_view() : scanner.take();
  };
  if (next() != "(") return {};
  const std::string name(next());
  if (next() != ")") return {};
  return name;
}

// Moves past the block that begins at the next token; false: no block, or no
// end.
bool skip_block(Scanner& scanner) {
  scanner.set_first_branch_only(true);
  int depth = 0;
  bool closed = false;
  while (!closed) {
    scanner.skip_blanks();
    if (scanner.done()) break;
    const std::string_view token = scanner.take();
    if (token == "{") ++depth;
    if (token == "}") closed = --depth == 0;
    if (depth == 0) break;
  }
  scanner.set_first_branch_only(false);
  return closed;
}

}  // namespace

std::vector<KernelBody> find_kernel_bodies(std::string_view code) {
  std::vector<KernelBody> bodies;
  Scanner scanner(code);
  for (;;) {
    scanner.skip_blanks();
    if (scanner.done()) return bodies;
    const std::size_t begin = scanner.at();
    if (scanner.take() != kMarker) continue;
    KernelBody body;
    body.name = take_name(scanner);
    if (body.name.empty()) continue;
    body.line = 1 + static_cast<int>(
                        std::count(code.begin(), code.begin() + begin, '\n'));
    body.begin = begin;
    scanner.skip_blanks();
    const bool opens = !scanner.done() && code[scanner.at()] == '{';
    body.open = opens ? scanner.at() : begin;
    body.end = skip_block(scanner) ? scanner.at() : begin;
    bodies.push_back(body);
  }
}

std::string blank_other_kernels(std::string_view code,
                                const std::set<std::string>& wanted) {
  std::string text(code);
  for (const KernelBody& body : find_kernel_bodies(code)) {
    if (wanted.contains(body.name)) continue;
    for (std::size_t i = body.begin; i < body.end; ++i) {
      if (text[i] != '\n') text[i] = ' ';
    }
  }
  return text;
}

}  // namespace evoke
