// Device source as preprocessing tokens: comments skipped, line splices
// joined, digraphs spelled out. Enough to look for words in code and not in
// its comments or strings; not a parser.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace evoke {

struct SourceToken {
  enum class Kind {
    identifier,
    number,
    string,       // with prefix and quotes
    character,    // with prefix and quotes
    header_name,  // <...> or "..." after #include
    punctuation,  // one character, "##" or "::"
    stray         // something that C++ text of ours never holds; see `text`
  };
  Kind kind = Kind::punctuation;
  std::string text;
  int line = 1;               // 1-based, of its first character
  bool starts_line = false;   // first token of a logical line
  bool in_directive = false;  // on a line that begins with #
};

// `stray` tokens: raw strings, trigraphs, digraphs, unterminated comments and
// literals, backslashes and bytes outside ASCII. Reading goes on after them.
std::vector<SourceToken> tokens_of(std::string_view code, int first_line);

}  // namespace evoke
