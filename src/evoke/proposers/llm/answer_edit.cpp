#include "evoke/proposers/llm/answer_edit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <vector>

#include "evoke/base/utf8.h"
#include "evoke/core/kernel_text.h"

namespace evoke::llm {
namespace {

using Lines = std::vector<std::string>;

std::ptrdiff_t offset(std::size_t n) { return static_cast<std::ptrdiff_t>(n); }

// White space at the ends gone, and every other run of it one blank.
std::string squeezed(std::string_view line) {
  std::string out;
  for (const char c : line) {
    const bool blank = c == ' ' || c == '\t';
    if (!blank) {
      out += c;
    } else if (!out.empty() && out.back() != ' ') {
      out += ' ';
    }
  }
  if (out.ends_with(' ')) out.pop_back();
  return out;
}

Lines squeezed(const Lines& lines) {
  Lines out;
  out.reserve(lines.size());
  for (const std::string& line : lines) out.push_back(squeezed(line));
  return out;
}

Lines without_blank_ends(Lines lines) {
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  const auto first =
      std::find_if(lines.begin(), lines.end(),
                   [](const auto& line) { return !line.empty(); });
  lines.erase(lines.begin(), first);
  return lines;
}

// Where `needle` stands in `lines`.
std::vector<std::size_t> places_of(const Lines& needle, const Lines& lines) {
  std::vector<std::size_t> places;
  auto at = lines.begin();
  while (!needle.empty()) {
    at = std::search(at, lines.end(), needle.begin(), needle.end());
    if (at == lines.end()) break;
    places.push_back(static_cast<std::size_t>(at - lines.begin()));
    ++at;
  }
  return places;
}

std::string_view indent_of(std::string_view line) {
  return line.substr(0, std::min(line.find_first_not_of(" \t"), line.size()));
}

// `lines`, written for text that is indented as `written`, moved to where it
// is indented as `found`.
void indent(Lines& lines, std::string_view written, std::string_view found) {
  for (std::string& line : lines) {
    if (line.empty() || !line.starts_with(written)) continue;
    line.replace(0, written.size(), found);
  }
}

std::string list_of(const std::vector<std::size_t>& places) {
  constexpr std::size_t kMost = 4;
  std::string text;
  for (std::size_t i = 0; i < std::min(places.size(), kMost); ++i) {
    text += fmt::format("{}{}", i == 0 ? "" : ", ", places[i] + 1);
  }
  if (places.size() > kMost) text += ", ...";
  return text;
}

// Where the file comes closest to `needle`, and what is different there.
std::string nearest(const Lines& needle, const Lines& lines) {
  const Lines want = squeezed(needle);
  const Lines have = squeezed(lines);
  std::size_t best = 0;
  std::size_t best_count = 0;
  std::size_t first_wrong = 0;
  for (std::size_t at = 0; at < have.size(); ++at) {
    std::size_t count = 0;
    std::size_t wrong = want.size();
    for (std::size_t i = 0; i < want.size(); ++i) {
      const bool same = at + i < have.size() && have[at + i] == want[i];
      if (same && !want[i].empty()) ++count;
      if (!same && wrong == want.size()) wrong = i;
    }
    if (count > best_count) {
      best_count = count;
      best = at;
      first_wrong = wrong;
    }
  }
  if (best_count == 0) return "none of its lines stands in the file";
  const std::size_t line = best + first_wrong;
  return fmt::format(
      "it comes closest at line {}; line {} is '{}', not '{}'", best + 1,
      line + 1, line < lines.size() ? one_line(lines[line], 100) : "",
      one_line(needle[std::min(first_wrong, needle.size() - 1)], 100));
}

tl::unexpected<Error> refuse(std::size_t block, const std::string& what) {
  return failed(fmt::format("block {}: {}", block + 1, what));
}

Result<void> apply(const SearchReplace& block, std::size_t number,
                   Lines& lines) {
  Lines search = block.search;
  Lines replace = block.replace;
  if (without_blank_ends(search).empty()) {
    return refuse(number,
                  "SEARCH is empty; quote the lines that it takes the place "
                  "of");
  }
  auto places = places_of(search, lines);
  if (places.empty()) {
    search = without_blank_ends(search);
    replace = without_blank_ends(replace);
    places = places_of(search, lines);
  }
  if (places.empty()) {
    places = places_of(squeezed(search), squeezed(lines));
    if (places.size() == 1) {
      indent(replace, indent_of(search[0]), indent_of(lines[places[0]]));
    }
  }
  if (places.empty()) {
    return refuse(
        number, "SEARCH does not stand in the file: " + nearest(search, lines));
  }
  if (places.size() > 1) {
    return refuse(number,
                  fmt::format("SEARCH stands in {} places (lines {}); quote "
                              "more lines around the one that is meant",
                              places.size(), list_of(places)));
  }
  const auto first = lines.begin() + offset(places[0]);
  const auto last = first + offset(search.size());
  if (std::equal(first, last, replace.begin(), replace.end())) {
    return refuse(number, "REPLACE is what stands there already");
  }
  const auto rest = lines.erase(first, last);
  lines.insert(rest, replace.begin(), replace.end());
  return {};
}

std::string joined(const Lines& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

// A file that no fence closes ends where the text that may not change ends, or
// with the last line that can be code.
void cut_prose(Lines& lines, const KernelSource& parent) {
  const auto segments = segments_of(parent.code(), parent.code_line());
  if (segments.size() > 1) {
    Lines tail;
    for (const std::string_view line : segments.back().lines) {
      tail.emplace_back(line);
    }
    tail = without_blank_ends(std::move(tail));
    const auto places = places_of(tail, lines);
    if (!places.empty()) lines.resize(places.back() + tail.size());
    return;
  }
  const auto is_code = [](const std::string& line) {
    return !line.empty() && (line.ends_with('}') || line.ends_with(';') ||
                             line.ends_with("*/") || line.starts_with("//") ||
                             line.starts_with("#endif"));
  };
  const auto last = std::find_if(lines.rbegin(), lines.rend(), is_code);
  lines.erase(last.base(), lines.end());
}

// Whether both are the same but for comments, layout and the summary.
bool says_the_same(const KernelSource& a, const KernelSource& b) {
  KernelPlan plan = a.plan();
  plan.summary = b.plan().summary;
  if (!(plan == b.plan())) return false;
  const auto& ours = a.tokens();
  const auto& theirs = b.tokens();
  return std::equal(ours.begin(), ours.end(), theirs.begin(), theirs.end(),
                    [](const SourceToken& x, const SourceToken& y) {
                      return x.kind == y.kind && x.text == y.text &&
                             x.in_directive == y.in_directive;
                    });
}

}  // namespace

Result<std::string> edited_text(const Answer& answer, std::string_view base) {
  if (!answer.file.empty()) return joined(answer.file);
  Lines lines = lines_of(base);
  for (std::size_t i = 0; i < answer.blocks.size(); ++i) {
    const auto applied = apply(answer.blocks[i], i, lines);
    if (!applied) return error_of(applied);
  }
  return joined(lines);
}

Result<KernelSource> edited_kernel(const Answer& answer, std::string_view base,
                                   const KernelSource& parent,
                                   std::string_view path) {
  Answer whole = answer;
  if (!whole.file.empty() && !whole.file_is_closed) {
    cut_prose(whole.file, parent);
  }
  const auto text = edited_text(whole, base);
  if (!text) return error_of(text);
  auto kernel = KernelSource::parse(*text, parent.dialect(), path);
  if (!kernel) return kernel;
  if (const auto kept = parent.check_immutable_text(*kernel); !kept) {
    return error_of(kept);
  }
  if (says_the_same(parent, *kernel)) {
    return failed(fmt::format(
        "{}: changes nothing of the parent but comments and layout", path));
  }
  if (base != parent.text()) {
    const auto before = KernelSource::parse(base, parent.dialect(), path);
    if (before && says_the_same(*before, *kernel)) {
      return failed(fmt::format(
          "{}: changes nothing of the failed file but comments and layout",
          path));
    }
  }
  return kernel;
}

}  // namespace evoke::llm
