// What the fuzzers and fuzz_corpus_test feed bytes to. Each function returns
// "" or the invariant that did not hold.
#pragma once

#include <string>
#include <string_view>

namespace evoke {

// Parses an expression, evaluates it, and reads its text back.
std::string check_expression(std::string_view bytes);

// Parses a kernel file; what parses is printed and parsed again, checked for
// forbidden text and resolved at a few shapes.
std::string check_kernel_source(std::string_view bytes);

// Reads a tokenizer.json, encodes a text with it, and decodes the tokens. The
// text is what follows the first line "---". In the JSON, `"@bytes"` stands
// for a vocabulary's first 256 entries: the bytes, as tokens 0 to 255.
std::string check_tokenizer(std::string_view bytes);

// Reads a model's answer and applies it to a kernel file; what comes of it may
// differ from that file only where it is allowed to.
std::string check_answer(std::string_view bytes);

}  // namespace evoke
