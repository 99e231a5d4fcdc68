#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "evoke/base/utf8.h"
#include "evoke/core/brace_check.h"
#include "evoke/core/forbidden_words.h"
#include "evoke/core/kernel_source.h"
#include "evoke/core/reserved_words.h"
#include "evoke/core/source_tokens.h"

namespace evoke {
namespace {

using Kind = SourceToken::Kind;

// The words of one table, for looking up.
class WordIndex {
 public:
  explicit WordIndex(std::span<const ForbiddenWord> words) {
    for (const ForbiddenWord& forbidden : words) {
      const std::string_view word = forbidden.word;
      if (word.ends_with('*')) {
        beginnings_.push_back(
            {word.substr(0, word.size() - 1), forbidden.reason});
      } else {
        exact_.emplace(word, forbidden.reason);
      }
    }
  }
  // Why it is refused; empty when it is not.
  std::string_view reason(std::string_view word) const {
    const auto found = exact_.find(word);
    if (found != exact_.end()) return found->second;
    for (const ForbiddenWord& beginning : beginnings_) {
      if (word.starts_with(beginning.word)) return beginning.reason;
    }
    return {};
  }

 private:
  std::unordered_map<std::string_view, std::string_view> exact_;
  std::vector<ForbiddenWord> beginnings_;
};

const WordIndex& index_of(Dialect dialect) {
  static const WordIndex cpu(forbidden_table(Dialect::cpu).words);
  static const WordIndex cuda(forbidden_table(Dialect::cuda).words);
  static const WordIndex metal(forbidden_table(Dialect::metal).words);
  if (dialect == Dialect::cuda) return cuda;
  return dialect == Dialect::metal ? metal : cpu;
}

bool holds(std::span<const std::string_view> list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

// "__aligned__" and "aligned" are one attribute.
std::string_view bare(std::string_view attribute) {
  if (attribute.size() > 4 && attribute.starts_with("__") &&
      attribute.ends_with("__")) {
    return attribute.substr(2, attribute.size() - 4);
  }
  return attribute;
}

// Names that C++ keeps for compiler and library.
bool is_hosts_name(std::string_view word) {
  return word.starts_with("__") || (word.size() > 1 && word[0] == '_' &&
                                    word[1] >= 'A' && word[1] <= 'Z');
}

class ForbiddenTextCheck {
 public:
  explicit ForbiddenTextCheck(const KernelSource& kernel)
      : path_(kernel.path()),
        table_(forbidden_table(kernel.dialect())),
        words_(index_of(kernel.dialect())),
        tokens_(kernel.tokens()) {}

  Result<void> run() {
    for (at_ = 0; at_ < tokens_.size() && error_.empty(); ++at_) check_token();
    if (!error_.empty()) return failed(error_);
    if (const auto error = find_brace_error(tokens_)) {
      return failed(fmt::format("{}:{}: {}", path_, error->line, error->what));
    }
    return {};
  }

 private:
  void refuse(const SourceToken& token, std::string_view reason) {
    if (!error_.empty()) return;
    error_ = fmt::format("{}:{}: '{}' is refused: {}", path_, token.line,
                         one_line(token.text, 60), reason);
  }

  // The token `offset` places further; a lone line end beyond the last.
  const SourceToken& peek(std::size_t offset) const {
    static const SourceToken kEnd{};
    return at_ + offset < tokens_.size() ? tokens_[at_ + offset] : kEnd;
  }

  void check_token() {
    const SourceToken& token = tokens_[at_];
    switch (token.kind) {
      case Kind::identifier:
        return check_word(token);
      case Kind::string:
        return check_string(token);
      case Kind::punctuation:
        return check_punctuation(token);
      case Kind::stray:
        return refuse(token,
                      "raw strings, digraphs, trigraphs, open comments or "
                      "literals, backslashes and characters outside ASCII "
                      "have no place in kernel code");
      default:
        return;
    }
  }

  void check_word(const SourceToken& token) {
    const std::string_view reason = words_.reason(token.text);
    if (!reason.empty()) return refuse(token, reason);
    if (token.text.find('$') != std::string::npos) {
      return refuse(token, "'$' is not a letter of C++");
    }
    if (token.text == "goto" && peek(1).text == "*") {
      return refuse(token, "jumps to computed addresses");
    }
    if (token.text == "__attribute__" || token.text == "__attribute") {
      check_attributes(1, "(", ")");
    }
  }

  void check_string(const SourceToken& token) {
    for (const ForbiddenWord& forbidden : table_.in_strings) {
      if (token.text.find(forbidden.word) != std::string::npos) {
        return refuse(token, forbidden.reason);
      }
    }
  }

  void check_punctuation(const SourceToken& token) {
    if (token.text == "##") {
      return refuse(token, "pasted words cannot be checked; write them out");
    }
    if (token.text == "#" && token.starts_line) return check_directive();
    const bool attribute = token.text == "[" && peek(1).text == "[";
    if (attribute) check_attributes(0, "[", "]");
  }

  // Every word between the brackets that is an attribute's name (not inside
  // the arguments of one) must be known. `offset`: of the first bracket.
  void check_attributes(std::size_t offset, std::string_view open,
                        std::string_view close) {
    int depth = 0;
    int inner = 0;  // parentheses that belong to arguments
    for (std::size_t i = at_ + offset; i < tokens_.size(); ++i) {
      const SourceToken& token = tokens_[i];
      const bool in_arguments = open == "(" ? depth > 2 : inner > 0;
      if (open != "(" && token.text == "(") ++inner;
      if (open != "(" && token.text == ")") --inner;
      if (token.text == open && inner == 0) ++depth;
      if (token.text == close && inner == 0 && --depth == 0) return;
      if (depth == 0) return;  // not an attribute after all
      if (token.kind == Kind::identifier && !in_arguments &&
          !holds(table_.attributes, bare(token.text))) {
        return refuse(token, "not one of the attributes that kernels may use");
      }
    }
  }

  void check_directive() {
    const SourceToken& name = peek(1);
    if (name.starts_line || !name.in_directive) return;  // a lone '#'
    const std::string_view word = name.text;
    if (word == "include") return check_include();
    if (word == "pragma") return check_pragma();
    if (word == "define" || word == "undef") {
      if (is_reserved_word(peek(2).text) || is_hosts_name(peek(2).text)) {
        refuse(peek(2),
               "keywords and the words of the host keep their "
               "meaning; choose another name");
      }
      return;
    }
    constexpr std::string_view kHarmless[] = {"if",   "ifdef", "ifndef", "elif",
                                              "else", "endif", "error"};
    if (!holds(kHarmless, word)) {
      refuse(name,
             "not one of #include #define #undef #if #ifdef #ifndef "
             "#elif #else #endif #error #pragma");
    }
  }

  void check_include() {
    const SourceToken& header = peek(2);
    const std::string_view text = header.text;
    if (header.kind == Kind::header_name && text.starts_with('<') &&
        holds(table_.headers, text.substr(1, text.size() - 2))) {
      return;
    }
    refuse(
        header.kind == Kind::header_name ? header : peek(1),
        fmt::format("include one of <{}>", fmt::join(table_.headers, "> <")));
  }

  void check_pragma() {
    const std::string one = peek(2).text;
    const std::string two = one + " " + peek(3).text;
    if (holds(table_.pragmas, one) || holds(table_.pragmas, two)) return;
    refuse(peek(1), fmt::format("kernels may use #pragma {}",
                                fmt::join(table_.pragmas, ", #pragma ")));
  }

  std::string path_;
  const ForbiddenTable& table_;
  const WordIndex& words_;
  const std::vector<SourceToken>& tokens_;
  std::size_t at_ = 0;
  std::string error_;
};

}  // namespace

Result<void> check_forbidden_text(const KernelSource& kernel) {
  return ForbiddenTextCheck(kernel).run();
}

}  // namespace evoke
