// Words that a plan may not give to its own things, and that code may not
// redefine.
#pragma once

#include <string_view>

namespace evoke {

// Keywords of C++20 and of the dialects, and the words of the prelude.
bool is_reserved_word(std::string_view word);

// The functions of plan expressions.
bool is_expression_function(std::string_view word);

bool is_identifier(std::string_view word);

}  // namespace evoke
