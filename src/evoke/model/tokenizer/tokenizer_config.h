// What tokenizer_config.json and chat_template.jinja say beside
// tokenizer.json. Both may be missing.
#pragma once

#include <filesystem>
#include <string>

#include "evoke/base/error.h"

namespace evoke::model {

struct TokenizerConfig {
  std::string eos_token;      // "": none named
  std::string chat_template;  // Jinja; "": none
};

// chat_template.jinja goes before the template inside tokenizer_config.json,
// and of several named ones "default" is taken, as in transformers.
Result<TokenizerConfig> read_tokenizer_config(
    const std::filesystem::path& model_folder);

}  // namespace evoke::model
