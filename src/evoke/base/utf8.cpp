#include "evoke/base/utf8.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace evoke {
namespace {

// How many bytes of ASCII begin `text`: most of what passes here is nothing
// else, so it is read eight at a time.
std::size_t ascii_length(std::string_view text) {
  constexpr uint64_t kHighBits = 0x8080808080808080;
  std::size_t at = 0;
  for (uint64_t word = 0; at + sizeof word <= text.size(); at += sizeof word) {
    std::memcpy(&word, text.data() + at, sizeof word);
    if ((word & kHighBits) != 0) break;
  }
  while (at < text.size() && static_cast<unsigned char>(text[at]) < 0x80) ++at;
  return at;
}

// Length of the valid sequence at the start of `text`, or 0.
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const auto continues = [&](std::size_t i) { return (byte(i) >> 6) == 2; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return continues(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    if (!continues(1) || !continues(2)) return 0;
    if (first == 0xe0 && byte(1) < 0xa0) return 0;   // overlong
    if (first == 0xed && byte(1) >= 0xa0) return 0;  // surrogates
    return 3;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    if (!continues(1) || !continues(2) || !continues(3)) return 0;
    if (first == 0xf0 && byte(1) < 0x90) return 0;   // overlong
    if (first == 0xf4 && byte(1) >= 0x90) return 0;  // above U+10FFFF
    return 4;
  }
  return 0;
}

}  // namespace

std::size_t find_invalid_utf8(std::string_view text) {
  std::size_t at = ascii_length(text);
  while (at < text.size()) {
    const std::size_t length = sequence_length(text.substr(at));
    if (length == 0) return at;
    at += length;
    at += ascii_length(text.substr(at));
  }
  return std::string_view::npos;
}

std::size_t find_direction_change(std::string_view text) {
  for (std::size_t at = text.find('\xe2'); at != std::string_view::npos;
       at = text.find('\xe2', at + 1)) {
    if (at + 2 >= text.size()) break;
    const auto third = static_cast<unsigned char>(text[at + 2]);
    const bool found =
        (text[at + 1] == '\x80' && third >= 0xaa && third <= 0xae) ||
        (text[at + 1] == '\x81' && third >= 0xa6 && third <= 0xa9);
    if (found) return at;
  }
  return std::string_view::npos;
}

std::string to_valid_utf8(std::string_view text) {
  std::string valid;
  valid.reserve(text.size());
  for (;;) {
    const std::size_t end = std::min(find_invalid_utf8(text), text.size());
    valid.append(text.substr(0, end));
    if (end == text.size()) return valid;
    valid.append("\xef\xbf\xbd");
    text.remove_prefix(end + 1);
  }
}

std::string one_line(std::string_view text, std::size_t max_bytes) {
  const bool cut = text.size() > max_bytes;
  if (cut) {
    std::size_t end = max_bytes;
    while (end > 0 && (static_cast<unsigned char>(text[end]) >> 6) == 2) --end;
    text = text.substr(0, end);
  }
  std::string line = to_valid_utf8(text);
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  if (cut) line.append("...");
  return line;
}

}  // namespace evoke
