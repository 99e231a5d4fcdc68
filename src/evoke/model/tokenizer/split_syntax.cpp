#include "evoke/model/tokenizer/split_syntax.h"

#include <array>
#include <cctype>
#include <cstddef>

namespace evoke::model {
namespace {

class SyntaxCheck {
 public:
  explicit SyntaxCheck(std::string_view pattern) : pattern_(pattern) {}

  std::string run() {
    while (wrong_.empty() && at_ < pattern_.size()) item();
    return wrong_;
  }

 private:
  bool next_is(std::string_view text) const {
    return pattern_.substr(at_).starts_with(text);
  }
  bool skip(std::string_view text) {
    if (!next_is(text)) return false;
    at_ += text.size();
    return true;
  }
  void refuse(std::string_view what) { wrong_ = what; }

  void item() {
    const char c = pattern_[at_];
    switch (c) {
      case '\\':
        escape();
        return quantifier();
      case '[':
        character_class();
        return quantifier();
      case '(':
        return group();
      case ')':
        ++at_;
        // Repeated groups are what patterns that never end are made of.
        if (at_ < pattern_.size() &&
            std::string_view("*+?{").find(pattern_[at_]) != std::string::npos) {
          refuse("a repeated group");
        }
        return;
      case '|':
        ++at_;
        return;
      case '.':
      case '^':
      case '$':
      case '*':
      case '+':
      case '?':
      case '{':
      case '}':
      case ']':
        return refuse(std::string(1, c));
      default:
        ++at_;
        // The quantifier of a character is that of all its bytes.
        while (at_ < pattern_.size() && is_inner_byte(pattern_[at_])) ++at_;
        return quantifier();
    }
  }

  static bool is_inner_byte(char c) {
    return (static_cast<unsigned char>(c) >> 6) == 2;
  }

  void escape() {
    for (const std::string_view known :
         {"\\r", "\\n", "\\t", "\\s", "\\S", "\\p{L}", "\\p{N}"}) {
      if (skip(known)) return;
    }
    const bool literal =
        at_ + 1 < pattern_.size() &&
        std::ispunct(static_cast<unsigned char>(pattern_[at_ + 1])) != 0;
    if (!literal) return refuse(pattern_.substr(at_, 2));
    at_ += 2;
  }

  void character_class() {
    ++at_;
    skip("^");
    if (next_is("]")) return refuse("[]");
    while (wrong_.empty()) {
      if (at_ >= pattern_.size()) return refuse("[ without ]");
      if (skip("]")) return;
      if (next_is("[")) return refuse("[ in a class");
      if (next_is("&&")) return refuse("&&");
      if (next_is("\\")) {
        escape();
      } else {
        ++at_;
      }
    }
  }

  void group() {
    if (skip("(?i:")) return ignoring_case();
    for (const std::string_view known : {"(?:", "(?=", "(?!"}) {
      if (skip(known)) return;
    }
    if (pattern_.substr(at_, 2) == "(?" || pattern_.substr(at_, 2) == "(*") {
      return refuse(pattern_.substr(at_, 4));
    }
    ++at_;
  }

  // Oniguruma folds some pairs of letters into one ("ss" and sharp s), which
  // PCRE2 does not.
  void ignoring_case() {
    const std::size_t end = pattern_.find(')', at_);
    const std::string_view inside = pattern_.substr(at_, end - at_);
    for (const char c : inside) {
      const bool known = c == '\'' || c == '|' || (c >= 'a' && c <= 'z') ||
                         (c >= 'A' && c <= 'Z');
      if (!known) return refuse("(?i: beyond ASCII letters");
    }
    for (std::size_t i = 0; i + 1 < inside.size(); ++i) {
      const char pair[] = {lower(inside[i]), lower(inside[i + 1])};
      for (const std::string_view folded : {"ss", "st", "ff", "fi", "fl"}) {
        if (std::string_view(pair, 2) == folded) {
          return refuse(std::string("(?i: with ").append(folded));
        }
      }
    }
  }

  static char lower(char c) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }

  void quantifier() {
    if (!wrong_.empty() || !one_quantifier()) return;
    const std::size_t begin = at_;
    if (one_quantifier()) refuse(pattern_.substr(begin - 1, at_ - begin + 1));
  }

  // *, +, ?, or {m}, {m,}, {m,n} with at most three digits each.
  bool one_quantifier() {
    if (skip("*") || skip("+") || skip("?")) return true;
    if (!next_is("{")) return false;
    std::size_t end = at_ + 1;
    const auto digits = [&] {
      const std::size_t begin = end;
      while (end < pattern_.size() && end - begin < 3 &&
             std::isdigit(static_cast<unsigned char>(pattern_[end])) != 0) {
        ++end;
      }
      return end > begin;
    };
    bool good = digits();
    if (good && end < pattern_.size() && pattern_[end] == ',') {
      ++end;
      digits();
    }
    good = good && end < pattern_.size() && pattern_[end] == '}';
    if (!good) {
      refuse("{");
      return false;
    }
    at_ = end + 1;
    return true;
  }

  std::string_view pattern_;
  std::size_t at_ = 0;
  std::string wrong_;
};

}  // namespace

std::string find_unsupported_syntax(std::string_view pattern) {
  return SyntaxCheck(pattern).run();
}

}  // namespace evoke::model
