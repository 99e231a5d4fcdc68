// Qwen3's chat template, without Jinja: what transformers'
// apply_chat_template makes of a conversation without tools.
//
//   <|im_start|>ROLE\nCONTENT<|im_end|>\n   for each message, in order
//   <|im_start|>assistant\n                 where an answer is asked for
//
// What an assistant thought (up to </think>) is left out of its earlier
// turns; of answers behind the last question it is kept, and the very last
// message always has a think block, if only an empty one.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "evoke/base/error.h"

namespace evoke::model {

struct ChatMessage {
  std::string role;  // system, user or assistant
  std::string content;
};

struct ChatOptions {
  // Ends with the beginning of the assistant's answer.
  bool add_generation_prompt = true;
  // false: that answer begins with an empty think block, so that the model
  // does not think. Without add_generation_prompt it has no effect.
  bool enable_thinking = true;
};

// Fails for a conversation without messages and for other roles ("tool":
// tools are not supported).
Result<std::string> render_chat(std::span<const ChatMessage> messages,
                                const ChatOptions& options);

// Whether a model folder's template (Tokenizer::chat_template()) is Qwen3's,
// so that render_chat() is right for it; warn where it is not.
//
// Qwen3's models carry several wordings of one behaviour and conversions add
// their own white space, so a list of hashes would miss most of them. Looked
// for are the few statements that make the behaviour, white space and kind of
// quotes aside; refused is what the relatives (Qwen2.5, Qwen3-Coder, the 2507
// releases, Qwen3-VL and later) do otherwise. A template that was edited in
// another place is taken for Qwen3's: this is a guess, and a good one.
bool is_qwen3_template(std::string_view jinja);

}  // namespace evoke::model
