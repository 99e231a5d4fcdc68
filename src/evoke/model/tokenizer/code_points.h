// Walking over text that is known to be valid UTF-8.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace evoke::model {

struct CodePoint {
  char32_t value = 0;
  std::size_t bytes = 0;
};

inline CodePoint code_point_at(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) {
    return static_cast<char32_t>(static_cast<unsigned char>(text[at + i]));
  };
  const auto low = [&](std::size_t i) { return byte(i) & 0x3f; };
  const char32_t first = byte(0);
  if (first < 0x80) return {first, 1};
  if (first < 0xe0) return {(first & 0x1f) << 6 | low(1), 2};
  if (first < 0xf0) return {(first & 0xf) << 12 | low(1) << 6 | low(2), 3};
  return {(first & 7) << 18 | low(1) << 12 | low(2) << 6 | low(3), 4};
}

// Where the character before `at` begins; at > 0.
inline std::size_t previous_character(std::string_view text, std::size_t at) {
  do {
    --at;
  } while ((static_cast<unsigned char>(text[at]) >> 6) == 2);
  return at;
}

inline void append_utf8(std::string& text, char32_t c) {
  const auto push = [&](char32_t byte) {
    text.push_back(static_cast<char>(byte));
  };
  if (c < 0x80) {
    push(c);
  } else if (c < 0x800) {
    push(0xc0 | c >> 6);
    push(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    push(0xe0 | c >> 12);
    push(0x80 | (c >> 6 & 0x3f));
    push(0x80 | (c & 0x3f));
  } else {
    push(0xf0 | c >> 18);
    push(0x80 | (c >> 12 & 0x3f));
    push(0x80 | (c >> 6 & 0x3f));
    push(0x80 | (c & 0x3f));
  }
}

}  // namespace evoke::model
