#include "evoke/proposers/llm/chat_wire.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "evoke/base/json.h"
#include "evoke/base/utf8.h"

namespace evoke::llm {
namespace {

constexpr std::string_view kPath = "/chat/completions";

tl::unexpected<ChatError> bad(std::string message, bool transient = true) {
  ChatError error;
  error.kind = ChatErrorKind::bad_answer;
  error.message = std::move(message);
  error.transient = transient;
  return tl::unexpected(std::move(error));
}

tl::unexpected<ChatError> declined(std::string message) {
  ChatError error;
  error.kind = ChatErrorKind::declined;
  error.message = std::move(message);
  return tl::unexpected(std::move(error));
}

// The member of an object, or null.
const Json& member(const Json& json, const char* name) {
  static const Json none;
  if (!json.is_object()) return none;
  const auto found = json.find(name);
  return found == json.end() ? none : *found;
}

std::string text_at(const Json& json, const char* name) {
  const Json& value = member(json, name);
  return value.is_string() ? value.get<std::string>() : "";
}

// Counts come as integers, now and then as 12.0; nothing else is one.
int64_t count_at(const Json& json, const char* name) {
  const Json& value = member(json, name);
  if (!value.is_number()) return 0;
  const auto number = value.get<double>();
  return number >= 0 && number < 1e15 ? static_cast<int64_t>(number) : 0;
}

LlmUsage read_usage(const Json& usage) {
  LlmUsage read;
  read.prompt_tokens = count_at(usage, "prompt_tokens");
  read.completion_tokens = count_at(usage, "completion_tokens");
  read.cached_tokens = std::min(
      count_at(member(usage, "prompt_tokens_details"), "cached_tokens"),
      read.prompt_tokens);
  read.reasoning_tokens =
      count_at(member(usage, "completion_tokens_details"), "reasoning_tokens");
  return read;
}

// Text, or the text parts of a list.
std::string content_of(const Json& content) {
  if (content.is_string()) return content.get<std::string>();
  std::string text;
  if (!content.is_array()) return text;
  for (const Json& part : content) text += text_at(part, "text");
  return text;
}

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == text.npos;
}

}  // namespace

std::string_view to_string(ChatErrorKind kind) {
  switch (kind) {
    case ChatErrorKind::refused:
      return "refused";
    case ChatErrorKind::declined:
      return "declined";
    case ChatErrorKind::rate_limited:
      return "rate_limited";
    case ChatErrorKind::service_down:
      return "service_down";
    case ChatErrorKind::timed_out:
      return "timed_out";
    case ChatErrorKind::over_budget:
      return "over_budget";
    case ChatErrorKind::cancelled:
      return "cancelled";
    case ChatErrorKind::bad_answer:
      break;
  }
  return "bad_answer";
}

std::string request_body(const ChatRequest& request) {
  Json messages = Json::array();
  for (const LlmMessage& message : request.messages) {
    messages.push_back({{"role", message.role}, {"content", message.content}});
  }
  Json body = {{"model", request.model}, {"messages", std::move(messages)}};
  const ChatParameters& sent = request.parameters;
  const auto put = [&body](const char* name, const auto& value) {
    if (value) body[name] = *value;
  };
  put("temperature", sent.temperature);
  put("top_p", sent.top_p);
  put("max_tokens", sent.max_tokens);
  put("max_completion_tokens", sent.max_completion_tokens);
  put("reasoning_effort", sent.reasoning_effort);
  put("seed", sent.seed);
  return dump_json(body);
}

std::string completions_url(std::string_view base_url) {
  const std::size_t end = std::min(base_url.find('?'), base_url.size());
  std::string_view path = base_url.substr(0, end);
  while (path.ends_with('/')) path.remove_suffix(1);
  return fmt::format("{}{}{}", path, path.ends_with(kPath) ? "" : kPath,
                     base_url.substr(end));
}

ChatResult<ChatReply> read_reply(std::string_view body) {
  const Json json = Json::parse(body, nullptr, false);
  if (json.is_discarded()) {
    return bad(fmt::format("not JSON: {}", one_line(body, 120)));
  }
  const Json& choices = member(json, "choices");
  if (!choices.is_array()) {
    // Some services report errors with status 200.
    const std::string said = read_complaint(body).message;
    return bad(fmt::format("no choices in it: {}", said));
  }
  if (choices.empty()) return bad("its list of choices is empty");
  const Json& choice = choices.front();
  const Json& message = member(choice, "message");
  if (!message.is_object()) return bad("its first choice has no message");

  ChatReply reply;
  reply.model = text_at(json, "model");
  reply.finish_reason = text_at(choice, "finish_reason");
  reply.text = to_valid_utf8(content_of(member(message, "content")));
  reply.usage = read_usage(member(json, "usage"));
  const Json& cost = member(member(json, "usage"), "cost");
  if (cost.is_number() && cost.get<double>() >= 0) {
    reply.cost_usd = cost.get<double>();
  }
  if (!is_blank(reply.text)) return reply;
  const std::string refusal = text_at(message, "refusal");
  if (!refusal.empty()) {
    return declined(
        fmt::format("the model declined: {}", one_line(refusal, 200)));
  }
  if (reply.finish_reason == "content_filter") {
    return declined("the service's content filter took the answer");
  }
  if (reply.finish_reason == "length") {
    return bad(
        "the token limit was used up before the answer began; raise "
        "max_completion_tokens or max_tokens",
        false);
  }
  return bad("its message has no content");
}

ServiceComplaint read_complaint(std::string_view body) {
  const Json json = Json::parse(body, nullptr, false);
  ServiceComplaint complaint;
  const Json& outer =
      json.is_array() && !json.empty() ? json.front() : json;  // Google's
  const Json& error = member(outer, "error");
  if (error.is_string()) {
    complaint.message = error.get<std::string>();
  } else {
    complaint.message = text_at(error, "message");
    complaint.code = text_at(error, "code");
    complaint.parameter = text_at(error, "param");
  }
  if (complaint.message.empty()) complaint.message = text_at(outer, "message");
  if (complaint.message.empty()) complaint.message = text_at(outer, "detail");
  if (complaint.message.empty()) complaint.message = body;
  if (is_blank(complaint.message)) complaint.message = "nothing said";
  complaint.message = one_line(complaint.message, 240);
  return complaint;
}

bool give_way(const ServiceComplaint& complaint, ChatParameters& parameters) {
  constexpr std::array<std::string_view, 9> kRefusals = {
      "upport",      "nknown",      "nrecognized",
      "cannot both", "not allowed", "not permitted",
      "ncompatible", "xtra inputs", "nly the default"};
  const auto concerns = [&](std::string_view name) {
    if (complaint.parameter == name) return true;
    return complaint.parameter.empty() &&
           complaint.message.find(name) != std::string::npos &&
           std::any_of(kRefusals.begin(), kRefusals.end(), [&](auto word) {
             return complaint.message.find(word) != std::string::npos;
           });
  };
  // Of two that exclude each other the first named here goes.
  if (parameters.top_p && concerns("top_p")) {
    parameters.top_p.reset();
  } else if (parameters.temperature && concerns("temperature")) {
    parameters.temperature.reset();
  } else if (parameters.seed && concerns("seed")) {
    parameters.seed.reset();
  } else if (parameters.reasoning_effort && concerns("reasoning_effort")) {
    parameters.reasoning_effort.reset();
  } else if (parameters.max_tokens && concerns("max_tokens")) {
    if (!parameters.max_completion_tokens) {
      parameters.max_completion_tokens = parameters.max_tokens;
    }
    parameters.max_tokens.reset();
  } else if (parameters.max_completion_tokens &&
             concerns("max_completion_tokens")) {
    if (!parameters.max_tokens) {
      parameters.max_tokens = parameters.max_completion_tokens;
    }
    parameters.max_completion_tokens.reset();
  } else {
    return false;
  }
  return true;
}

}  // namespace evoke::llm
