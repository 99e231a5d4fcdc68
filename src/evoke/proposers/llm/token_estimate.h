// How many tokens a text takes, from above: tokenizers of the usual services
// need one for about 3.5 bytes of code, and rarely one for less than 3.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "evoke/evolution/interfaces/llm_call.h"

namespace evoke::llm {

inline int64_t estimate_tokens(std::string_view text) {
  return (static_cast<int64_t>(text.size()) + 2) / 3;
}

inline int64_t estimate_tokens(const std::vector<LlmMessage>& messages) {
  constexpr int64_t kPerMessage = 8;
  int64_t tokens = 0;
  for (const LlmMessage& message : messages) {
    tokens += kPerMessage + estimate_tokens(message.content);
  }
  return tokens;
}

}  // namespace evoke::llm
