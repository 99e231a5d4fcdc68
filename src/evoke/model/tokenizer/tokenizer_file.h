// tokenizer.json, as Hugging Face's tokenizers writes it for Qwen2 and Qwen3:
// normalizer NFC, words cut by a pattern, byte-level BPE. Everything that
// would make other tokens and is not understood is an error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/model/tokenizer/added_tokens.h"
#include "evoke/model/tokenizer/byte_pairs.h"

namespace evoke::model {

struct TokenizerFile {
  // By id, as written: in the byte alphabet, or an added token's own text.
  std::vector<std::string> tokens;
  std::size_t model_tokens = 0;  // those of vocab; added ones follow
  std::vector<AddedToken> added;
  std::vector<Merge> merges;  // by rank
  // By byte; -1 for some of the 13 bytes that no UTF-8 text contains.
  std::vector<int32_t> byte_ids;
  std::string split_pattern;
  bool nfc = false;
  bool ignore_merges = false;  // a word that is a token is not cut
};

// `name` (a path) stands at the beginning of the error's line. Truncation and
// padding, which the file may ask for, are left out, as transformers does.
Result<TokenizerFile> read_tokenizer_file(std::string_view text,
                                          std::string_view name);

}  // namespace evoke::model
