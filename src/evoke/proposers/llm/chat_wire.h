// Chat completions on the wire: the JSON of a request, and what comes back.
#pragma once

#include <string>
#include <string_view>

#include "evoke/proposers/llm/chat_client.h"

namespace evoke::llm {

// The body of POST /chat/completions. Parameters that are not set are absent.
std::string request_body(const ChatRequest& request);

// `base_url` with the path of chat completions, before its query if it has
// one; a URL that names them already stays as it is.
std::string completions_url(std::string_view base_url);

// Reads the body of a successful answer: text, model, finish reason, usage,
// and the cost if the service says it. `declined`: the model would not answer;
// `bad_answer`: anything that the protocol does not allow.
ChatResult<ChatReply> read_reply(std::string_view body);

// What the body of an unsuccessful answer says.
struct ServiceComplaint {
  std::string message;    // one line; the body's beginning when not JSON
  std::string code;       // "insufficient_quota"
  std::string parameter;  // what it is about: "temperature"
};
ServiceComplaint read_complaint(std::string_view body);

// Takes the parameter that `complaint` is about out of `parameters`, or gives
// a token limit its other name. False: it is about none that was sent.
bool give_way(const ServiceComplaint& complaint, ChatParameters& parameters);

}  // namespace evoke::llm
