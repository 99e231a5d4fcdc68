// One request to a language model, as it is kept: what was asked, what came
// back, and what it cost. No key and no header is ever part of it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace evoke {

struct LlmMessage {
  std::string role;  // "system", "user", "assistant"
  std::string content;
  bool operator==(const LlmMessage&) const = default;
};

// Tokens as the service counted them; 0: it did not say.
struct LlmUsage {
  int64_t prompt_tokens = 0;
  int64_t cached_tokens = 0;  // part of the prompt's, at a lower price
  int64_t completion_tokens = 0;
  int64_t reasoning_tokens = 0;  // part of the completion's
  bool operator==(const LlmUsage&) const = default;
};

struct LlmCall {
  int64_t proposal = 0;  // ProposalRequest::id
  int attempt = 0;       // ProposalRequest::attempt
  int round = 0;         // 1: the model was told why its answer was refused
  std::string model;     // as asked for
  std::string operation;
  std::string started;  // UTC, "2026-11-23T10:41:07Z"
  std::vector<LlmMessage> messages;
  std::string answer;  // empty when there was none
  std::string finish_reason;
  LlmUsage usage;
  std::optional<double> cost_usd;  // empty: the price is not known
  double latency_ms = 0;           // waits and repetitions included
  int requests = 0;                // HTTP requests that it took
  // Why there is no answer ("rate_limited") and the one line about it; both
  // empty when there is one.
  std::string error_kind;
  std::string error;
  // Why the answer made no kernel file; empty when it did.
  std::string refusal;
};

// Called from the thread that made the call; must be thread-safe.
using LlmCallObserver = std::function<void(const LlmCall&)>;

}  // namespace evoke
