// One question to a language model and its answer. `ServiceClient`
// (service_client.h) asks over HTTP; tests and replays answer themselves.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/evolution/interfaces/llm_call.h"

namespace evoke::llm {

// What is not set is not sent: services refuse what they do not know.
struct ChatParameters {
  std::optional<double> temperature = {};
  std::optional<double> top_p = {};
  std::optional<int64_t> max_tokens = {};
  std::optional<int64_t> max_completion_tokens =
      {};  // what reasoning models take
  std::optional<std::string> reasoning_effort = {};  // "low", "medium", "high"
  std::optional<int64_t> seed = {};
  bool operator==(const ChatParameters&) const = default;

  // The limit on the answer, whichever of both is set.
  std::optional<int64_t> token_limit() const {
    return max_completion_tokens ? max_completion_tokens : max_tokens;
  }
};

struct ChatRequest {
  std::string model;
  std::vector<LlmMessage> messages;
  ChatParameters parameters;
  uint64_t rng_seed = 0;  // of the jitter between repetitions
};

struct ChatReply {
  std::string text;
  std::string model;          // as the service names it
  std::string finish_reason;  // "stop", "length", ...
  LlmUsage usage;
  std::optional<double> cost_usd;  // empty: the price is not known
  double latency_ms = 0;           // waits and repetitions included
  int requests = 1;                // HTTP requests that it took
};

enum class ChatErrorKind {
  refused,       // the service will not do it (4xx): wrong key, model, request
  declined,      // the model would not answer
  rate_limited,  // for longer than we wait
  service_down,  // no connection, 5xx, cut off; for longer than we wait
  timed_out,     // connected, but no whole answer within the limit
  bad_answer,    // not what the protocol says
  over_budget,   // it might cost more than is left
  cancelled      // the run ends
};
std::string_view to_string(ChatErrorKind kind);

struct ChatError {
  ChatErrorKind kind = ChatErrorKind::bad_answer;
  std::string message;  // one line; never holds a key
  int http_status = 0;
  double retry_after_s = 0;  // what the service asked for; 0: nothing
  // Whether the same request may succeed later.
  bool transient = false;
  double latency_ms = 0;
  int requests = 0;
  // What it may have cost all the same; empty: not known.
  std::optional<double> cost_usd = 0;
};

template <typename T>
using ChatResult = tl::expected<T, ChatError>;

// Asked now and then while a call waits; true: give up.
using Stop = std::function<bool()>;

class ChatClient {
 public:
  virtual ~ChatClient() = default;
  // Blocks until there is an answer or none will come. Thread-safe.
  virtual ChatResult<ChatReply> chat(const ChatRequest& request,
                                     const Stop& stop) = 0;
  // Blots out every secret that the client knows. Thread-safe.
  virtual void hide_secrets(std::string& text) const = 0;
};

}  // namespace evoke::llm
