// Where this machine's Unicode tables (PCRE2, utf8proc) may differ from those
// inside Hugging Face's tokenizers 0.23, which decide what a token is.
// tests/model/tokenizer compares every code point with them.
#pragma once

#include <span>

namespace evoke::model {

// Characters that \s, \p{L} or \p{N} could take for what Hugging Face does
// not: for such a one, a character of as many UTF-8 bytes that is in the
// right classes everywhere; for all others, `c` itself.
char32_t split_stand_in(char32_t c);

// Whether any character of c's block of 256 has a stand-in.
bool block_has_stand_ins(char32_t c);

// Whether Rust's regular expressions, which Hugging Face judges the sides of
// added tokens by, take `c` for a part of a word; `here` is what this
// machine's tables say, and holds for all but a few.
bool is_word_in_rust(char32_t c, bool here);

// Characters that Hugging Face's normalization does not know yet, and so
// leaves alone, though newer tables decompose, reorder or join them.
bool is_unknown_to_nfc(char32_t c);
std::span<const char32_t> characters_unknown_to_nfc();

}  // namespace evoke::model
