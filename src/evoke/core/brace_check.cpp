#include "evoke/core/brace_check.h"

#include <cstddef>

namespace evoke {
namespace {

struct Conditional {
  int depth_before = 0;
  std::optional<int> depth_after;  // of the branches seen so far
  bool has_else = false;
};

int step_of(const SourceToken& token) {
  if (token.kind != SourceToken::Kind::punctuation) return 0;
  return token.text == "{" ? 1 : token.text == "}" ? -1 : 0;
}

class BraceReader {
 public:
  explicit BraceReader(const std::vector<SourceToken>& tokens)
      : tokens_(tokens) {}

  std::optional<BraceError> run() {
    for (at_ = 0; at_ < tokens_.size() && !error_; ++at_) {
      const SourceToken& token = tokens_[at_];
      if (token.starts_line && token.text == "#") {
        read_directive();
      } else if (!token.in_directive) {
        depth_ += step_of(token);
        if (depth_ < 0) fail(token, "'}' without '{' before it");
      }
    }
    if (!error_ && !tokens_.empty()) {
      if (!open_.empty()) fail(tokens_.back(), "#if without #endif");
      if (depth_ > 0) fail(tokens_.back(), "'{' without '}' after it");
    }
    return error_;
  }

 private:
  void fail(const SourceToken& token, std::string_view what) {
    if (!error_) error_ = BraceError{token.line, what};
  }

  void read_directive() {
    if (at_ + 1 >= tokens_.size()) return;
    const SourceToken& name = tokens_[at_ + 1];
    if (!name.in_directive || name.starts_line) return;
    const std::string_view word = name.text;
    if (word == "define") return read_definition();
    if (word == "if" || word == "ifdef" || word == "ifndef") {
      open_.push_back({depth_, std::nullopt, false});
      return;
    }
    if (word != "elif" && word != "else" && word != "endif") return;
    if (open_.empty()) return fail(name, "no #if before it");
    Conditional& conditional = open_.back();
    if (conditional.depth_after.value_or(depth_) != depth_) {
      return fail(name,
                  "the branches of an #if must open and close the same "
                  "braces");
    }
    conditional.depth_after = depth_;
    if (word != "endif") {
      if (word == "else") conditional.has_else = true;
      depth_ = conditional.depth_before;
      return;
    }
    if (!conditional.has_else && depth_ != conditional.depth_before) {
      return fail(name,
                  "an #if without #else must close the braces that it "
                  "opens");
    }
    open_.pop_back();
  }

  void read_definition() {
    int depth = 0;
    for (std::size_t i = at_ + 1;
         i < tokens_.size() && tokens_[i].in_directive &&
         !tokens_[i].starts_line;
         ++i) {
      depth += step_of(tokens_[i]);
      if (depth < 0)
        return fail(tokens_[i], "a macro may only close what it opens");
    }
    if (depth != 0) fail(tokens_[at_], "a macro must close what it opens");
  }

  const std::vector<SourceToken>& tokens_;
  std::size_t at_ = 0;
  int depth_ = 0;
  std::vector<Conditional> open_;
  std::optional<BraceError> error_;
};

}  // namespace

std::optional<BraceError> find_brace_error(
    const std::vector<SourceToken>& tokens) {
  return BraceReader(tokens).run();
}

}  // namespace evoke
