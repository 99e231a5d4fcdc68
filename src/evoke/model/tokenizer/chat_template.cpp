#include "evoke/model/tokenizer/chat_template.h"

#include <algorithm>
#include <cstddef>

#include "evoke/base/utf8.h"

namespace evoke::model {
namespace {

constexpr std::string_view kBegin = "<|im_start|>";
constexpr std::string_view kEnd = "<|im_end|>\n";
constexpr std::string_view kThink = "<think>";
constexpr std::string_view kThinkEnd = "</think>";

std::string_view without_leading_newlines(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of('\n'), text.size()));
  return text;
}

std::string_view without_trailing_newlines(std::string_view text) {
  return text.substr(0, text.find_last_not_of('\n') + 1);
}

struct Answer {
  std::string_view reasoning;
  std::string_view content;
};

// Reasoning ends at the first </think>, begins behind the last <think> before
// it; the content begins behind the last </think>.
Answer answer_of(std::string_view text) {
  const std::size_t first_end = text.find(kThinkEnd);
  if (first_end == text.npos) return {"", text};
  Answer answer;
  answer.reasoning = without_trailing_newlines(text.substr(0, first_end));
  const std::size_t begin = answer.reasoning.rfind(kThink);
  if (begin != text.npos) {
    answer.reasoning.remove_prefix(begin + kThink.size());
  }
  answer.reasoning = without_leading_newlines(answer.reasoning);
  answer.content = without_leading_newlines(
      text.substr(text.rfind(kThinkEnd) + kThinkEnd.size()));
  return answer;
}

// Users' messages that carry a tool's answer go on with the same question.
bool is_question(const ChatMessage& message) {
  return message.role == "user" &&
         !(message.content.starts_with("<tool_response>") &&
           message.content.ends_with("</tool_response>"));
}

// Index of the last question; without any, of the last message.
std::size_t last_question(std::span<const ChatMessage> messages) {
  for (std::size_t i = messages.size(); i > 0; --i) {
    if (is_question(messages[i - 1])) return i - 1;
  }
  return messages.size() - 1;
}

void append_answer(const Answer& answer, bool with_thoughts,
                   std::string& text) {
  if (!with_thoughts) {
    text.append(answer.content);
    return;
  }
  text.append(kThink).append("\n");
  text.append(without_trailing_newlines(answer.reasoning)).append("\n");
  text.append(kThinkEnd).append("\n\n");
  text.append(without_leading_newlines(answer.content));
}

Result<void> check(std::span<const ChatMessage> messages) {
  if (messages.empty()) return failed("a chat needs at least one message");
  for (const ChatMessage& message : messages) {
    const std::string& role = message.role;
    if (role == "tool") {
      return failed("messages of the role 'tool' are not supported");
    }
    if (role != "system" && role != "user" && role != "assistant") {
      return failed("the role '" + one_line(role, 60) +
                    "' is not one of system, user, assistant");
    }
  }
  return {};
}

}  // namespace

Result<std::string> render_chat(std::span<const ChatMessage> messages,
                                const ChatOptions& options) {
  if (const auto checked = check(messages); !checked) return error_of(checked);
  const std::size_t question = last_question(messages);
  std::string text;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const ChatMessage& message = messages[i];
    text.append(kBegin).append(message.role).append("\n");
    if (message.role == "assistant") {
      const Answer answer = answer_of(message.content);
      const bool is_last = i + 1 == messages.size();
      append_answer(
          answer, i > question && (is_last || !answer.reasoning.empty()), text);
    } else {
      text.append(message.content);
    }
    text.append(kEnd);
  }
  if (options.add_generation_prompt) {
    text.append(kBegin).append("assistant\n");
    if (!options.enable_thinking) {
      text.append(kThink).append("\n\n").append(kThinkEnd).append("\n\n");
    }
  }
  return text;
}

bool is_qwen3_template(std::string_view jinja) {
  std::string bare;
  for (const char c : jinja) {
    if (c == ' ' || c == '\n' || c == '\t' || c == '\r') continue;
    bare.push_back(c == '"' ? '\'' : c);
  }
  const auto has = [&](std::string_view part) {
    return bare.find(part) != bare.npos;
  };
  for (const std::string_view part :
       {R"('<|im_start|>')", R"('<|im_end|>\n')",
        // The answer's beginning, with and without thinking.
        R"('<|im_start|>assistant\n'}})",
        R"(enable_thinkingisfalse%}{{-'<think>\n\n</think>\n\n'}}{%-endif%})",
        // Where thoughts are cut, and from which message on they are kept.
        R"(.split('</think>'))", R"(.split('<think>'))",
        R"('\n<think>\n'+reasoning_content)", "last_query_index",
        R"('<tool_response>')"}) {
    if (!has(part)) return false;
  }
  for (const std::string_view other :
       {"YouareQwen", "<function=", "render_content", "preserve_thinking",
        R"(assistant\n<think>\n'}})", "|trim"}) {
    if (has(other)) return false;
  }
  return true;
}

}  // namespace evoke::model
