// UTF-8, checked: texts that enter JSON, CBOR or a kernel file must be valid.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace evoke {

// Offset of the first byte that is not part of a valid sequence (overlong
// forms, surrogates and values above U+10FFFF are not); npos when all is
// well.
std::size_t find_invalid_utf8(std::string_view text);
// Offset of the first character that reorders what a reader sees (U+202A to
// U+202E, U+2066 to U+2069); npos when there is none.
std::size_t find_direction_change(std::string_view text);
// Every byte that is not valid replaced by U+FFFD.
std::string to_valid_utf8(std::string_view text);
// Fit for a one-line message: valid UTF-8, blanks for control characters, and
// when longer than `max_bytes`, cut and closed with "...".
std::string one_line(std::string_view text, std::size_t max_bytes = 400);

}  // namespace evoke
