#include "evoke/proposers/parameters/source_items.h"

#include <algorithm>
#include <cctype>
#include <initializer_list>
#include <utility>

namespace evoke::parameters {
namespace {

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}
bool is_digit(char c) {
  return std::isdigit(static_cast<unsigned char>(c)) != 0;
}

struct Token {
  enum class Kind { identifier, number, literal, directive, punctuation };
  Kind kind = Kind::punctuation;
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string_view text;
};

// Cuts code into tokens; a preprocessor line is one.
class Scanner {
 public:
  explicit Scanner(std::string_view code) : code_(code) {}

  std::vector<Token> run() {
    std::vector<Token> tokens;
    while (skip_blanks()) {
      const std::size_t begin = at_;
      const Token::Kind kind = take();
      tokens.push_back({kind, begin, at_, code_.substr(begin, at_ - begin)});
    }
    return tokens;
  }

 private:
  // False at the end of the code.
  bool skip_blanks() {
    while (at_ < code_.size()) {
      const std::string_view rest = code_.substr(at_);
      if (rest.starts_with("//")) {
        at_ = std::min(code_.find('\n', at_), code_.size());
      } else if (rest.starts_with("/*")) {
        const std::size_t end = code_.find("*/", at_ + 2);
        at_ = end == code_.npos ? code_.size() : end + 2;
      } else if (std::isspace(static_cast<unsigned char>(rest[0])) != 0) {
        if (rest[0] == '\n') line_start_ = true;
        ++at_;
      } else {
        return true;
      }
    }
    return false;
  }

  Token::Kind take() {
    const bool line_start = std::exchange(line_start_, false);
    const char c = code_[at_];
    if (c == '#' && line_start) {
      while (at_ < code_.size()) {
        const std::size_t end = std::min(code_.find('\n', at_), code_.size());
        const bool continued = end > at_ && code_[end - 1] == '\\';
        at_ = continued ? std::min(end + 1, code_.size()) : end;
        if (!continued) break;
      }
      return Token::Kind::directive;
    }
    if (is_digit(c)) {
      while (at_ < code_.size() &&
             (is_word(code_[at_]) || code_[at_] == '.' || code_[at_] == '\'')) {
        ++at_;
      }
      return Token::Kind::number;
    }
    if (is_word(c)) {
      while (at_ < code_.size() && is_word(code_[at_])) ++at_;
      return Token::Kind::identifier;
    }
    ++at_;
    if (c != '"' && c != '\'') return Token::Kind::punctuation;
    while (at_ < code_.size() && code_[at_] != c && code_[at_] != '\n') {
      at_ += code_[at_] == '\\' ? 2 : 1;
    }
    at_ = std::min(at_ + 1, code_.size());
    return Token::Kind::literal;
  }

  std::string_view code_;
  std::size_t at_ = 0;
  bool line_start_ = true;
};

bool is_one_of(std::string_view word,
               std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// Groups tokens into items.
class ItemReader {
 public:
  explicit ItemReader(std::string_view code) : tokens_(Scanner(code).run()) {}

  SourceItems run() {
    while (at_ < tokens_.size()) read_one();
    return std::move(result_);
  }

 private:
  void read_one() {
    const std::size_t first = at_;
    if (tokens_[at_].kind != Token::Kind::directive) return read_item(first);
    const std::string_view word = directive_word(text(at_));
    ++at_;
    if (word.starts_with("if")) return read_conditional(first);
    if (word != "include" && word != "pragma") result_.understood = false;
    add(first, SourceItem::Kind::nameless, {});
  }

  static std::string_view directive_word(std::string_view directive) {
    std::size_t begin = 1;
    while (begin < directive.size() && directive[begin] == ' ') ++begin;
    std::size_t end = begin;
    while (end < directive.size() && is_word(directive[end])) ++end;
    return directive.substr(begin, end - begin);
  }

  // From an #if to its #endif: one item that declares what all of its
  // branches do. Kernels do not belong there.
  void read_conditional(std::size_t first) {
    const std::size_t before = result_.items.size();
    int depth = 1;
    while (at_ < tokens_.size() && depth > 0) {
      const bool directive = tokens_[at_].kind == Token::Kind::directive;
      const std::string_view word =
          directive ? directive_word(text(at_)) : std::string_view();
      if (word.starts_with("if")) ++depth;
      if (word == "endif") --depth;
      if (word.starts_with("if") || word.starts_with("el") || word == "endif") {
        ++at_;
      } else {
        read_one();
      }
    }
    Names names;
    for (std::size_t i = before; i < result_.items.size(); ++i) {
      const SourceItem& inner = result_.items[i];
      names.insert(inner.names.begin(), inner.names.end());
      if (inner.kind == SourceItem::Kind::kernel) result_.understood = false;
    }
    result_.items.resize(before);
    if (depth > 0) result_.understood = false;
    const auto kind = names.empty() ? SourceItem::Kind::nameless
                                    : SourceItem::Kind::declaration;
    add(first, kind, std::move(names));
  }

  std::string_view text(std::size_t index) const {
    return index < tokens_.size() ? tokens_[index].text : std::string_view();
  }
  bool is_identifier(std::size_t index) const {
    return index < tokens_.size() &&
           tokens_[index].kind == Token::Kind::identifier;
  }

  void add(std::size_t first, SourceItem::Kind kind, Names names) {
    SourceItem item;
    item.kind = kind;
    item.names = std::move(names);
    item.begin = tokens_[first].begin;
    item.end = tokens_[at_ - 1].end;
    for (std::size_t i = first; i < at_; ++i) {
      if (tokens_[i].kind == Token::Kind::identifier) {
        item.identifiers.emplace(tokens_[i].text);
      }
      item.tokens.append(tokens_[i].text).append(" ");
    }
    result_.items.push_back(std::move(item));
  }

  // Moves past one item: to its ';', or to the end of a function's body.
  // Notes on the way what stands outside all brackets.
  void read_item(std::size_t first) {
    int depth = 0;
    bool assigned = false;    // '=' outside brackets
    bool parameters = false;  // '(...)' outside brackets
    bool type = is_one_of(text(first), {"struct", "class", "enum", "union"});
    const bool space = text(first) == "namespace";
    bool comma = false;
    std::string declared;  // the identifier before the first ( = [ { or ;
    std::size_t angle = 0;
    for (; at_ < tokens_.size(); ++at_) {
      const std::string_view token = text(at_);
      if (depth == 0) {
        if (text(at_) == "<" && at_ > first &&
            (text(at_ - 1) == "template" || angle > 0)) {
          ++angle;
        } else if (token == ">" && angle > 0) {
          --angle;
        }
        if (angle == 0 && is_one_of(token, {"(", "=", "[", "{", ";", ":"}) &&
            declared.empty() && at_ > first && is_identifier(at_ - 1) &&
            !is_one_of(text(at_ - 1),
                       {"alignas", "decltype", "requires", "__attribute__"})) {
          declared = text(at_ - 1);
        }
        if (angle == 0 && token == "(") parameters = true;
        if (token == "=" && angle == 0) assigned = true;
        if (token == "," && angle == 0) comma = true;
        if (is_one_of(token, {"struct", "class", "enum", "union"}) &&
            angle == 0) {
          type = true;
        }
      }
      if (is_one_of(token, {"{", "(", "["})) ++depth;
      if (is_one_of(token, {"}", ")", "]"})) --depth;
      const bool body_ends = depth == 0 && token == "}" &&
                             (space || (parameters && !assigned && !type));
      if (depth < 0 || (depth == 0 && token == ";") || body_ends) break;
    }
    const bool ended = at_ < tokens_.size() && depth == 0;
    at_ = std::min(at_ + 1, tokens_.size());
    classify(first, ended && !comma, std::move(declared));
  }

  // namespace name { ... } without kernels: what is in it is reached by that
  // name alone.
  bool is_plain_namespace(std::size_t first) const {
    if (!is_identifier(first + 1) || text(first + 2) != "{") return false;
    for (std::size_t i = first; i < at_; ++i) {
      const bool directive = tokens_[i].kind == Token::Kind::directive;
      if (text(i) == "KERNEL" ||
          (directive && directive_word(text(i)) != "pragma")) {
        return false;
      }
    }
    return true;
  }

  void classify(std::size_t first, bool sound, std::string declared) {
    std::size_t word = first;
    const std::string_view start = text(word);
    if (start == ";" || start == "static_assert") {
      if (!sound && start != "static_assert") result_.understood = false;
      return add(first, SourceItem::Kind::nameless, {});
    }
    if (start == "KERNEL" && text(first + 1) == "(" && text(first + 3) == ")") {
      return add(first, SourceItem::Kind::kernel,
                 {std::string(text(first + 2))});
    }
    if (start == "using" && is_identifier(first + 1) &&
        text(first + 2) == "=") {
      return add(first, SourceItem::Kind::declaration,
                 {std::string(text(first + 1))});
    }
    if (start == "namespace" && sound && is_plain_namespace(first)) {
      return add(first, SourceItem::Kind::declaration,
                 {std::string(text(first + 1))});
    }
    const bool odd = is_one_of(
        start, {"namespace", "extern", "using", "typedef", "asm", "friend"});
    bool has_operator = false;
    for (std::size_t i = first; i < at_; ++i) {
      if (text(i) == "operator") has_operator = true;
      if (text(i) == "{" || text(i) == "(") break;
    }
    if (!sound || odd || has_operator || declared.empty() ||
        is_one_of(declared,
                  {"static_assert", "KERNEL", "if", "for", "while"})) {
      result_.understood = false;
      return add(first, SourceItem::Kind::nameless, {});
    }
    add(first, SourceItem::Kind::declaration, {std::move(declared)});
  }

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  SourceItems result_;
};

bool any_in(const Names& names, const Names& others) {
  return std::any_of(names.begin(), names.end(),
                     [&](const auto& name) { return others.contains(name); });
}

}  // namespace

SourceItems items_of(std::string_view code) { return ItemReader(code).run(); }

std::string rename_identifiers(
    std::string_view code,
    const std::map<std::string, std::string, std::less<>>& names) {
  std::string out;
  std::size_t copied = 0;
  for (const Token& token : Scanner(code).run()) {
    if (token.kind != Token::Kind::identifier) continue;
    const auto found = names.find(token.text);
    if (found == names.end()) continue;
    out.append(code.substr(copied, token.begin - copied));
    out.append(found->second);
    copied = token.end;
  }
  out.append(code.substr(copied));
  return out;
}

std::vector<bool> items_in_use(const std::vector<SourceItem>& items,
                               const Names& kernels) {
  std::vector<bool> used(items.size(), false);
  Names wanted;
  const auto use = [&](std::size_t i) {
    used[i] = true;
    wanted.insert(items[i].identifiers.begin(), items[i].identifiers.end());
  };
  for (std::size_t i = 0; i < items.size(); ++i) {
    const bool root = items[i].kind == SourceItem::Kind::nameless ||
                      (items[i].kind == SourceItem::Kind::kernel &&
                       any_in(items[i].names, kernels));
    if (root) use(i);
  }
  for (bool changed = true; std::exchange(changed, false);) {
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (used[i] || items[i].kind == SourceItem::Kind::kernel ||
          !any_in(items[i].names, wanted)) {
        continue;
      }
      use(i);
      changed = true;
    }
  }
  return used;
}

}  // namespace evoke::parameters
