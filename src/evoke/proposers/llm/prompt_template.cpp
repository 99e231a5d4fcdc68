#include "evoke/proposers/llm/prompt_template.h"

#include <fmt/format.h>

#include <algorithm>

#include "evoke/base/spelling.h"
#include "evoke/base/utf8.h"

namespace evoke::llm {
namespace {

constexpr std::string_view kOpen = "{{";
constexpr std::string_view kClose = "}}";
constexpr int kDeepest = 8;  // templates in templates

int line_at(std::string_view text, std::size_t offset) {
  return 1 + static_cast<int>(std::count(
                 text.begin(),
                 text.begin() + static_cast<std::ptrdiff_t>(offset), '\n'));
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == text.npos) return "";
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

// Whether only blanks stand between [first, last) and the ends of its line;
// if so, both move to take the whole line with its end.
bool take_line(std::string_view text, std::size_t& first, std::size_t& last) {
  std::size_t begin = first;
  while (begin > 0 && (text[begin - 1] == ' ' || text[begin - 1] == '\t')) {
    --begin;
  }
  if (begin > 0 && text[begin - 1] != '\n') return false;
  std::size_t end = last;
  while (end < text.size() &&
         (text[end] == ' ' || text[end] == '\t' || text[end] == '\r')) {
    ++end;
  }
  if (end < text.size() && text[end] != '\n') return false;
  first = begin;
  last = std::min(end + 1, text.size());
  return true;
}

}  // namespace

class PromptTemplate::Parser {
 public:
  Parser(const std::set<std::string, std::less<>>& known, const Lookup& lookup,
         PromptTemplate& result)
      : known_(known), lookup_(lookup), result_(result) {}

  Result<void> parse(const TemplateSource& source, int depth) {
    const std::string_view text = source.text;
    const std::string& path = source.path;
    const std::size_t outer_sections = open_.size();
    const auto fail = [&](std::size_t at, const std::string& what) {
      return failed(fmt::format("{}:{}: {}", path, line_at(text, at), what));
    };
    std::size_t done = 0;
    while (true) {
      std::size_t first = text.find(kOpen, done);
      if (first == text.npos) break;
      const std::size_t tag = first;
      const std::size_t close = text.find(kClose, first);
      if (close == text.npos) {
        return fail(tag, "{{ has no }} after it");
      }
      std::size_t last = close + kClose.size();
      std::string_view inside = trimmed(
          text.substr(first + kOpen.size(), close - first - kOpen.size()));
      const char kind = inside.empty() ? ' ' : inside[0];
      const bool special =
          kind == '#' || kind == '/' || kind == '>' || kind == '!';
      if (special) {
        inside = trimmed(inside.substr(1));
        take_line(text, first, last);
      }
      // A line taken before may reach up to here, never beyond.
      add_text(text.substr(done, std::max(first, done) - done));
      done = last;
      if (kind == '!') continue;
      if (kind == '>') {
        const TemplateSource* const other = lookup_(inside);
        if (other == nullptr) {
          return fail(tag, fmt::format("there is no template '{}'",
                                       one_line(inside, 60)));
        }
        if (depth >= kDeepest) {
          return fail(tag, "templates include each other without end");
        }
        const auto included = parse(*other, depth + 1);
        if (!included) return included;
        continue;
      }
      const std::string name(inside);
      if (!known_.contains(name)) {
        return fail(
            tag,
            fmt::format("unknown name '{}'{}", one_line(name, 60),
                        did_you_mean(name, std::vector<std::string>(
                                               known_.begin(), known_.end()))));
      }
      result_.names_.insert(name);
      if (kind == '/') {
        if (open_.size() == outer_sections ||
            result_.pieces_[open_.back()].text != name) {
          return fail(tag, fmt::format("{{{{/{}}}}} closes no section", name));
        }
        result_.pieces_[open_.back()].matching = result_.pieces_.size();
        open_.pop_back();
        result_.pieces_.push_back({Piece::Kind::end, name, 0});
      } else {
        if (kind == '#') open_.push_back(result_.pieces_.size());
        result_.pieces_.push_back(
            {kind == '#' ? Piece::Kind::section : Piece::Kind::value, name, 0});
      }
    }
    if (open_.size() != outer_sections) {
      return failed(fmt::format("{}: section {{{{#{}}}}} does not end", path,
                                result_.pieces_[open_.back()].text));
    }
    add_text(text.substr(done));
    return {};
  }

 private:
  void add_text(std::string_view text) {
    if (text.empty()) return;
    result_.pieces_.push_back({Piece::Kind::text, std::string(text), 0});
  }

  const std::set<std::string, std::less<>>& known_;
  const Lookup& lookup_;
  PromptTemplate& result_;
  std::vector<std::size_t> open_;  // sections
};

Result<PromptTemplate> PromptTemplate::parse(
    const TemplateSource& source,
    const std::set<std::string, std::less<>>& known_names,
    const Lookup& lookup) {
  PromptTemplate result;
  const auto parsed = Parser(known_names, lookup, result).parse(source, 0);
  if (!parsed) return error_of(parsed);
  return result;
}

std::string PromptTemplate::fill(const PromptValues& values) const {
  std::string text;
  for (std::size_t i = 0; i < pieces_.size(); ++i) {
    const Piece& piece = pieces_[i];
    if (piece.kind == Piece::Kind::text) text += piece.text;
    if (piece.kind == Piece::Kind::text || piece.kind == Piece::Kind::end) {
      continue;
    }
    const auto value = values.find(piece.text);
    const bool empty = value == values.end() || value->second.empty();
    if (piece.kind == Piece::Kind::section) {
      if (empty) i = piece.matching;
    } else if (!empty) {
      text += value->second;
    }
  }
  return text;
}

}  // namespace evoke::llm
