#include "evoke/model/tokenizer/byte_alphabet.h"

#include <array>

#include "evoke/model/tokenizer/code_points.h"

namespace evoke::model {
namespace {

constexpr std::size_t kCodePoints = 0x144;  // U+0100 and 68 more
constexpr int16_t kNoByte = -1;

constexpr bool stands_for_itself(int byte) {
  return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte != 0xad);
}

struct Alphabet {
  std::array<char32_t, 256> symbols{};
  std::array<int16_t, kCodePoints> bytes{};

  constexpr Alphabet() {
    for (int16_t& byte : bytes) byte = kNoByte;
    char32_t next = 0x100;
    for (int byte = 0; byte < 256; ++byte) {
      const char32_t symbol =
          stands_for_itself(byte) ? static_cast<char32_t>(byte) : next++;
      symbols[static_cast<std::size_t>(byte)] = symbol;
      bytes[symbol] = static_cast<int16_t>(byte);
    }
  }
};

constexpr Alphabet kAlphabet;

}  // namespace

std::string symbol_of_byte(uint8_t byte) {
  std::string symbol;
  append_utf8(symbol, kAlphabet.symbols[byte]);
  return symbol;
}

std::optional<std::string> bytes_of_symbols(std::string_view symbols) {
  std::string bytes;
  bytes.reserve(symbols.size());
  for (std::size_t at = 0; at < symbols.size();) {
    const CodePoint symbol = code_point_at(symbols, at);
    if (symbol.value >= kCodePoints) return std::nullopt;
    const int16_t byte = kAlphabet.bytes[symbol.value];
    if (byte == kNoByte) return std::nullopt;
    bytes.push_back(static_cast<char>(byte));
    at += symbol.bytes;
  }
  return bytes;
}

}  // namespace evoke::model
