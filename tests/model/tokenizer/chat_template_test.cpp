#include "evoke/model/tokenizer/chat_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace evoke::model {
namespace {

using Chat = std::vector<ChatMessage>;

std::string render(const Chat& chat, const ChatOptions& options = {}) {
  const auto text = render_chat(chat, options);
  EXPECT_TRUE(text);
  return text.value_or("");
}

TEST(ChatTemplate, AsksForAnAnswer) {
  EXPECT_EQ(render({{"user", "Hi"}}),
            "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
  EXPECT_EQ(render({{"user", "Hi"}}, {.enable_thinking = false}),
            "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
            "<think>\n\n</think>\n\n");
  EXPECT_EQ(render({{"user", "Hi"}},
                   {.add_generation_prompt = false, .enable_thinking = false}),
            "<|im_start|>user\nHi<|im_end|>\n");
}

TEST(ChatTemplate, SystemMessagesStayWhereTheyAre) {
  EXPECT_EQ(render({{"system", "S"}, {"user", "Q"}, {"system", "T"}},
                   {.add_generation_prompt = false}),
            "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nQ<|im_end|>\n"
            "<|im_start|>system\nT<|im_end|>\n");
}

TEST(ChatTemplate, EarlierTurnsLoseTheirThoughts) {
  EXPECT_EQ(render({{"user", "Q"},
                    {"assistant", "<think>\nhm\n</think>\n\nA"},
                    {"user", "R"}}),
            "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\nA<|im_end|>"
            "\n<|im_start|>user\nR<|im_end|>\n<|im_start|>assistant\n");
}

TEST(ChatTemplate, AnswersToTheLastQuestionKeepThem) {
  const ChatOptions closed{.add_generation_prompt = false};
  const std::string question = "<|im_start|>user\nQ<|im_end|>\n";
  EXPECT_EQ(
      render({{"user", "Q"}, {"assistant", "<think>\nhm\n</think>\n\nA"}},
             closed),
      question +
          "<|im_start|>assistant\n<think>\nhm\n</think>\n\nA<|im_end|>\n");
  // The last message has a think block in any case.
  EXPECT_EQ(
      render({{"user", "Q"}, {"assistant", "A"}}, closed),
      question + "<|im_start|>assistant\n<think>\n\n</think>\n\nA<|im_end|>\n");
  // A tool's answer is no question.
  EXPECT_EQ(render({{"user", "Q"},
                    {"assistant", "<think>x</think>A"},
                    {"user", "<tool_response>4</tool_response>"},
                    {"assistant", "B"}},
                   closed),
            question +
                "<|im_start|>assistant\n<think>\nx\n</think>\n\nA<|im_end|>\n"
                "<|im_start|>user\n<tool_response>4</tool_response><|im_end|>\n"
                "<|im_start|>assistant\n<think>\n\n</think>\n\nB<|im_end|>\n");
}

TEST(ChatTemplate, RefusesWhatItDoesNotKnow) {
  const auto error = [](const Chat& chat) {
    const auto text = render_chat(chat, {});
    return text ? "" : text.error().message;
  };
  EXPECT_EQ(error({}), "a chat needs at least one message");
  EXPECT_EQ(error({{"user", "Q"}, {"tool", "4"}}),
            "messages of the role 'tool' are not supported");
  EXPECT_EQ(error({{"User", "Q"}}),
            "the role 'User' is not one of system, user, assistant");
}

// The statements of Qwen3's template that are looked for, and nothing else.
constexpr std::string_view kStatements = R"jinja(
    {{- '<|im_start|>' + x }} {{- "<tool_response>" }} {{- '<|im_end|>\n' }}
    {%- set r = y.split('</think>')[0].split("<think>")[-1] %}
    {{- '\n<think>\n' + reasoning_content }} {%- set last_query_index = 1 %}
    {{- '<|im_start|>assistant\n' }}
    {%- if enable_thinking is false %}
        {{- '<think>\n\n</think>\n\n' }}
    {%- endif %})jinja";

TEST(ChatTemplate, RecognisesQwen3) {
  EXPECT_TRUE(is_qwen3_template(kStatements));
  EXPECT_FALSE(is_qwen3_template(""));
  EXPECT_FALSE(is_qwen3_template("{{ messages }}"));
}

TEST(ChatTemplate, TellsItsRelatives) {
  const std::string text(kStatements);
  for (const char* other :
       {"{{- 'You are Qwen, a helpful assistant.' }}", "'<function=' + name",
        "{{- '<|im_start|>assistant\\n<think>\\n' }}",
        "render_content(m.content, true) | trim"}) {
    EXPECT_FALSE(is_qwen3_template(text + other)) << other;
  }
  for (const std::string needed :
       {"enable_thinking", "last_query_index", "<tool_response>", "</think>"}) {
    std::string without = text;
    for (std::size_t at; (at = without.find(needed)) != without.npos;) {
      without.erase(at, needed.size());
    }
    EXPECT_FALSE(is_qwen3_template(without)) << needed;
  }
}

}  // namespace
}  // namespace evoke::model
