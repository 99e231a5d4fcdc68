// Bytes that arrive in pieces, given out as whole characters.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace evoke::model {

// Each maximal beginning of a character that does not go on, and each other
// byte that is not UTF-8, becomes one U+FFFD: the practice that chapter 3 of
// the Unicode Standard recommends, and Rust's from_utf8_lossy follows. What
// comes out does not depend on where the input was cut.
class LossyUtf8 {
 public:
  // Appends all characters that are complete to `text`.
  void add(std::string_view bytes, std::string& text);
  // Ends the stream: a character begun but not finished becomes U+FFFD.
  void finish(std::string& text);

 private:
  void begin(unsigned char byte, std::string& text);

  std::array<char, 4> held_{};  // the character begun
  std::size_t held_bytes_ = 0;
  std::size_t missing_ = 0;   // bytes still to come
  unsigned char low_ = 0x80;  // what the next byte may be
  unsigned char high_ = 0xbf;
};

}  // namespace evoke::model
