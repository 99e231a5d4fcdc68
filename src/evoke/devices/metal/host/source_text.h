// Metal source as tokens that know their place, for the rewriter and the
// lints. Comments are skipped, directives are marked.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace evoke::metal::host {

struct TextToken {
  enum class Kind { word, number, literal, punctuation };
  Kind kind = Kind::punctuation;
  std::string_view text;  // of the source; "::" "<<" ... are single letters,
                          // but for "::" and "->"
  std::size_t begin = 0;
  int line = 0;  // as #line directives count; 0 before the first
  bool in_directive = false;

  std::size_t end() const { return begin + text.size(); }
  bool is(std::string_view other) const { return text == other; }
};

// The views point into `text`.
std::vector<TextToken> text_tokens(std::string_view text);

}  // namespace evoke::metal::host
