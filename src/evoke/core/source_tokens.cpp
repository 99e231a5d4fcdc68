#include "evoke/core/source_tokens.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace evoke {
namespace {

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         c == '$';
}
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\v' || c == '\f';
}

constexpr std::array<std::string_view, 9> kTrigraphs{
    "?\?=", "?\?/", "?\?'", "?\?(", "?\?)", "?\?!", "?\?<", "?\?>", "?\?-"};
constexpr std::array<std::string_view, 5> kDigraphs{"<:", ":>", "<%", "%>",
                                                    "%:"};

bool starts_with_any(std::string_view text, const auto& spellings) {
  return std::any_of(
      spellings.begin(), spellings.end(),
      [&](std::string_view each) { return text.starts_with(each); });
}

// The text after phase 2 of translation: backslash-newline removed (blanks
// between the two allowed, as in GCC and Clang), with the line of every byte.
struct SplicedText {
  std::string text;
  std::vector<int> lines;
};

SplicedText spliced(std::string_view code, int line) {
  SplicedText out;
  out.text.reserve(code.size());
  out.lines.reserve(code.size() + 1);
  for (std::size_t i = 0; i < code.size(); ++i) {
    if (code[i] == '\\') {
      std::size_t next = i + 1;
      while (next < code.size() && is_blank(code[next])) ++next;
      if (next < code.size() && code[next] == '\n') {
        ++line;
        i = next;
        continue;
      }
    }
    out.text.push_back(code[i]);
    out.lines.push_back(line);
    if (code[i] == '\n') ++line;
  }
  out.lines.push_back(line);
  return out;
}

class Tokeniser {
 public:
  Tokeniser(std::string_view code, int first_line)
      : source_(spliced(code, first_line)), text_(source_.text) {
    constexpr std::size_t kBytesPerToken = 4;
    tokens_.reserve(code.size() / kBytesPerToken);
  }

  std::vector<SourceToken> run() {
    while (at_ < text_.size()) step();
    return std::move(tokens_);
  }

 private:
  using Kind = SourceToken::Kind;

  std::string_view rest() const { return text_.substr(at_); }
  char here() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  void emit(Kind kind, std::size_t length) {
    SourceToken token;
    token.kind = kind;
    token.text = std::string(text_.substr(at_, length));
    token.line = source_.lines[at_];
    token.starts_line = at_line_start_;
    if (at_line_start_) in_directive_ = token.text == "#";
    token.in_directive = in_directive_;
    at_line_start_ = false;
    at_ += std::max<std::size_t>(token.text.size(), 1);
    tokens_.push_back(std::move(token));
  }

  void step() {
    const char c = here();
    if (c == '\n') {
      at_line_start_ = true;
      in_directive_ = false;
      ++at_;
    } else if (is_blank(c)) {
      ++at_;
    } else if (rest().starts_with("//")) {
      at_ = std::min(text_.find('\n', at_), text_.size());
    } else if (rest().starts_with("/*")) {
      skip_comment();
    } else if (c == '?' && starts_with_any(rest(), kTrigraphs)) {
      emit(Kind::stray, 3);
    } else if (expects_header_name() && (c == '<' || c == '"')) {
      read_header_name(c == '<' ? '>' : '"');
    } else if (is_letter(c)) {
      read_word();
    } else if (is_digit(c) || (c == '.' && at_ + 1 < text_.size() &&
                               is_digit(text_[at_ + 1]))) {
      read_number();
    } else if (c == '"' || c == '\'') {
      read_literal(0);
    } else if (static_cast<unsigned char>(c) >= 0x80) {
      std::size_t length = 1;
      while (at_ + length < text_.size() &&
             (static_cast<unsigned char>(text_[at_ + length]) & 0xc0) == 0x80) {
        ++length;
      }
      emit(Kind::stray, length);
    } else if (c == '\\') {
      emit(Kind::stray, 1);
    } else {
      read_punctuation();
    }
  }

  void skip_comment() {
    const std::size_t end = text_.find("*/", at_ + 2);
    if (end == text_.npos) {
      emit(Kind::stray, 2);
      at_ = text_.size();
      return;
    }
    at_ = end + 2;
  }

  bool expects_header_name() const {
    const std::size_t n = tokens_.size();
    if (at_line_start_ || n < 2 || !tokens_[n - 1].in_directive) return false;
    const std::string& word = tokens_[n - 1].text;
    return tokens_[n - 2].text == "#" && tokens_[n - 2].starts_line &&
           (word == "include" || word == "include_next" || word == "import" ||
            word == "embed");
  }

  void read_header_name(char close) {
    std::size_t length = 1;
    while (at_ + length < text_.size() && text_[at_ + length] != close &&
           text_[at_ + length] != '\n') {
      ++length;
    }
    if (at_ + length < text_.size() && text_[at_ + length] == close) {
      emit(Kind::header_name, length + 1);
    } else {
      emit(Kind::stray, length);
    }
  }

  void read_word() {
    std::size_t length = 1;
    while (at_ + length < text_.size() &&
           (is_letter(text_[at_ + length]) || is_digit(text_[at_ + length]))) {
      ++length;
    }
    const std::string_view word = text_.substr(at_, length);
    const char next = at_ + length < text_.size() ? text_[at_ + length] : '\0';
    const bool raw = word == "R" || word == "LR" || word == "uR" ||
                     word == "UR" || word == "u8R";
    if (next == '"' && raw) return emit(Kind::stray, length + 1);
    const bool prefix =
        word == "L" || word == "u" || word == "U" || word == "u8";
    if ((next == '"' || next == '\'') && prefix) return read_literal(length);
    emit(Kind::identifier, length);
  }

  // A preprocessing number: swallows suffixes, exponents and separators.
  void read_number() {
    std::size_t length = 1;
    while (at_ + length < text_.size()) {
      const char c = text_[at_ + length];
      const char before = text_[at_ + length - 1];
      const bool sign =
          (c == '+' || c == '-') &&
          (before == 'e' || before == 'E' || before == 'p' || before == 'P');
      const bool separator = c == '\'' && at_ + length + 1 < text_.size() &&
                             (is_letter(text_[at_ + length + 1]) ||
                              is_digit(text_[at_ + length + 1]));
      if (!is_letter(c) && !is_digit(c) && c != '.' && !sign && !separator) {
        break;
      }
      length += separator ? 2 : 1;
    }
    emit(Kind::number, length);
  }

  void read_literal(std::size_t prefix) {
    const char quote = text_[at_ + prefix];
    std::size_t length = prefix + 1;
    while (at_ + length < text_.size() && text_[at_ + length] != '\n') {
      const char c = text_[at_ + length++];
      if (c == quote) {
        return emit(quote == '"' ? Kind::string : Kind::character, length);
      }
      if (c == '\\' && at_ + length < text_.size() &&
          text_[at_ + length] != '\n') {
        ++length;
      }
    }
    emit(Kind::stray, length);
  }

  void read_punctuation() {
    // "<::" is '<' and '::' unless ':' or '>' follows (C++11).
    const bool angle_scope = rest().starts_with("<::") &&
                             !rest().starts_with("<:::") &&
                             !rest().starts_with("<::>");
    if (starts_with_any(rest(), kDigraphs) && !angle_scope) {
      return emit(Kind::stray, 2);
    }
    if (rest().starts_with("##") || rest().starts_with("::")) {
      return emit(Kind::punctuation, 2);
    }
    emit(Kind::punctuation, 1);
  }

  SplicedText source_;
  std::string_view text_;
  std::size_t at_ = 0;
  bool at_line_start_ = true;
  bool in_directive_ = false;
  std::vector<SourceToken> tokens_;
};

}  // namespace

std::vector<SourceToken> tokens_of(std::string_view code, int first_line) {
  return Tokeniser(code, first_line).run();
}

}  // namespace evoke
