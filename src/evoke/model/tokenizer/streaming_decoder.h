// Tokens to text as they come.
#pragma once

#include <cstdint>
#include <string>

#include "evoke/model/tokenizer/lossy_utf8.h"
#include "evoke/model/tokenizer/tokenizer.h"

namespace evoke::model {

// What add() and finish() give, put together, is decode() of all ids. No
// piece ends within a character: what a token begins and does not finish is
// held back.
class StreamingDecoder {
 public:
  // `tokenizer` must live as long.
  explicit StreamingDecoder(const Tokenizer& tokenizer,
                            bool skip_special = true)
      : tokenizer_(&tokenizer), skip_special_(skip_special) {}

  std::string add(int32_t id);
  // The end of the text; afterwards another can begin.
  std::string finish();

 private:
  const Tokenizer* tokenizer_;
  bool skip_special_;
  LossyUtf8 characters_;
};

}  // namespace evoke::model
