#include "evoke/devices/metal/host/source_text.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>

namespace evoke::metal::host {
namespace {

bool is_letter(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}
bool is_digit(char c) {
  return std::isdigit(static_cast<unsigned char>(c)) != 0;
}

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  std::vector<TextToken> run() {
    while (at_ < text_.size()) step();
    return std::move(tokens_);
  }

 private:
  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }

  void step() {
    const char c = peek();
    if (c == '\n') {
      end_line();
    } else if (std::isspace(static_cast<unsigned char>(c)) != 0) {
      ++at_;
    } else if (c == '\\' && peek(1) == '\n') {
      at_ += 2;
      ++line_;
    } else if (c == '/' && peek(1) == '/') {
      at_ = std::min(text_.find('\n', at_), text_.size());
    } else if (c == '/' && peek(1) == '*') {
      const std::size_t end = text_.find("*/", at_ + 2);
      skip_to(end == text_.npos ? text_.size() : end + 2);
    } else {
      if (c == '#' && line_is_fresh_) in_directive_ = true;
      line_is_fresh_ = false;
      take();
    }
  }

  void skip_to(std::size_t end) {
    line_ += static_cast<int>(
        std::count(text_.begin() + static_cast<std::ptrdiff_t>(at_),
                   text_.begin() + static_cast<std::ptrdiff_t>(end), '\n'));
    at_ = end;
  }

  void end_line() {
    ++at_;
    if (in_directive_) follow_directive();
    ++line_;
    in_directive_ = false;
    line_is_fresh_ = true;
    directive_begin_ = tokens_.size();
  }

  // "#line N": the line after it is N.
  void follow_directive() {
    if (tokens_.size() < directive_begin_ + 3 ||
        !tokens_[directive_begin_ + 1].is("line")) {
      return;
    }
    const std::string number(tokens_[directive_begin_ + 2].text);
    line_ = std::atoi(number.c_str()) - 1;
  }

  void take() {
    const std::size_t begin = at_;
    const char c = peek();
    auto kind = TextToken::Kind::punctuation;
    if (is_digit(c) || (c == '.' && is_digit(peek(1)))) {
      kind = TextToken::Kind::number;
      while (
          is_letter(peek()) || peek() == '.' ||
          (peek() == '\'' && is_letter(peek(1))) ||
          ((peek() == '+' || peek() == '-') && is_exponent(text_[at_ - 1]))) {
        ++at_;
      }
    } else if (is_letter(c)) {
      kind = TextToken::Kind::word;
      while (is_letter(peek())) ++at_;
    } else if (c == '"' || c == '\'') {
      kind = TextToken::Kind::literal;
      ++at_;
      while (at_ < text_.size() && peek() != c && peek() != '\n') {
        at_ += peek() == '\\' ? 2 : 1;
      }
      at_ = std::min(at_ + 1, text_.size());
    } else {
      const bool two =
          (c == ':' && peek(1) == ':') || (c == '-' && peek(1) == '>');
      at_ += two ? 2 : 1;
    }
    tokens_.push_back(
        {kind, text_.substr(begin, at_ - begin), begin, line_, in_directive_});
  }

  // Of a number that goes on with a sign.
  static bool is_exponent(char c) {
    return c == 'e' || c == 'E' || c == 'p' || c == 'P';
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int line_ = 1;
  bool line_is_fresh_ = true;
  bool in_directive_ = false;
  std::size_t directive_begin_ = 0;
  std::vector<TextToken> tokens_;
};

}  // namespace

std::vector<TextToken> text_tokens(std::string_view text) {
  return Lexer(text).run();
}

}  // namespace evoke::metal::host
