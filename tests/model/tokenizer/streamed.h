#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "evoke/base/utf8.h"
#include "evoke/model/tokenizer/streaming_decoder.h"

namespace evoke::model::test {

// What comes out of a StreamingDecoder; nothing when a piece of it ends
// within a character.
inline std::optional<std::string> streamed(const Tokenizer& tokenizer,
                                           std::span<const int32_t> ids,
                                           bool skip_special) {
  StreamingDecoder decoder(tokenizer, skip_special);
  std::string text;
  for (const int32_t id : ids) {
    const std::string piece = decoder.add(id);
    if (find_invalid_utf8(piece) != piece.npos) return std::nullopt;
    text += piece;
  }
  return text + decoder.finish();
}

}  // namespace evoke::model::test
