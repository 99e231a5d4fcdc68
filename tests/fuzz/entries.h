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

}  // namespace evoke
