// The alphabet in which byte-level vocabularies are written: every byte is
// one visible character, so that any token is a JSON string. Visible Latin-1
// characters stand for their own code; the other 68 bytes, in order, for
// U+0100 onwards. The table is GPT-2's (Radford et al. 2019).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace evoke::model {

// The character that stands for `byte`, in UTF-8.
std::string symbol_of_byte(uint8_t byte);

// The bytes that `symbols` (valid UTF-8) stand for; nothing when one of its
// characters is not of the alphabet.
std::optional<std::string> bytes_of_symbols(std::string_view symbols);

}  // namespace evoke::model
