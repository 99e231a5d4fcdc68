#include "evoke/model/tokenizer/streaming_decoder.h"

namespace evoke::model {

std::string StreamingDecoder::add(int32_t id) {
  std::string text;
  if (skip_special_ && tokenizer_->is_special(id)) return text;
  characters_.add(tokenizer_->bytes(id), text);
  return text;
}

std::string StreamingDecoder::finish() {
  std::string text;
  characters_.finish(text);
  return text;
}

}  // namespace evoke::model
