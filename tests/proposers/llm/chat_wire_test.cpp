#include "evoke/proposers/llm/chat_wire.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "evoke/base/json.h"

namespace evoke::llm {
namespace {

using testing::HasSubstr;

ChatRequest request() {
  return {"gpt-x", {{"system", "be brief"}, {"user", "hello"}}, {}, 0};
}

TEST(RequestBody, SendsOnlyWhatIsSet) {
  const Json bare = Json::parse(request_body(request()));
  EXPECT_EQ(bare.size(), 2U);
  EXPECT_EQ(bare["model"], "gpt-x");
  EXPECT_EQ(bare["messages"][1]["content"], "hello");

  ChatRequest full = request();
  full.parameters = {.temperature = 0.5,
                     .top_p = 0.9,
                     .max_tokens = 100,
                     .max_completion_tokens = 200,
                     .reasoning_effort = "low",
                     .seed = 7};
  const Json all = Json::parse(request_body(full));
  EXPECT_EQ(all["temperature"], 0.5);
  EXPECT_EQ(all["top_p"], 0.9);
  EXPECT_EQ(all["max_tokens"], 100);
  EXPECT_EQ(all["max_completion_tokens"], 200);
  EXPECT_EQ(all["reasoning_effort"], "low");
  EXPECT_EQ(all["seed"], 7);
  EXPECT_EQ(all.size(), 8U);
}

TEST(RequestBody, IsJsonWhateverTheTextIs) {
  ChatRequest broken = request();
  broken.messages[1].content = "\xff\xfe \"quoted\"\n\x01";
  EXPECT_FALSE(
      Json::parse(request_body(broken), nullptr, false).is_discarded());
}

TEST(CompletionsUrl, IsNeverDoubled) {
  EXPECT_EQ(completions_url("https://a.b/v1"),
            "https://a.b/v1/chat/completions");
  EXPECT_EQ(completions_url("https://a.b/v1//"),
            "https://a.b/v1/chat/completions");
  EXPECT_EQ(completions_url("https://a.b/v1/chat/completions"),
            "https://a.b/v1/chat/completions");
  EXPECT_EQ(completions_url("https://a.b/x?api-version=3"),
            "https://a.b/x/chat/completions?api-version=3");
}

TEST(ReadReply, TakesTextUsageAndCost) {
  const auto reply = read_reply(R"({"model": "gpt-x-1", "choices": [
    {"message": {"content": "yes"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 10, "completion_tokens": 4.0, "cost": 0.25,
      "prompt_tokens_details": {"cached_tokens": 6},
      "completion_tokens_details": {"reasoning_tokens": 3}}})");
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->text, "yes");
  EXPECT_EQ(reply->model, "gpt-x-1");
  EXPECT_EQ(reply->finish_reason, "stop");
  EXPECT_EQ(reply->usage, (LlmUsage{10, 6, 4, 3}));
  EXPECT_EQ(reply->cost_usd, 0.25);
}

TEST(ReadReply, TakesPartsAndMissingUsage) {
  const auto reply = read_reply(R"({"choices": [{"message": {"content":
    [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}}],
    "usage": null})");
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->text, "ab");
  EXPECT_EQ(reply->usage, LlmUsage{});
  EXPECT_EQ(reply->cost_usd, std::nullopt);
}

TEST(ReadReply, TellsWhatIsWrong) {
  const auto expect = [](std::string_view body, ChatErrorKind kind,
                         const char* message) {
    const auto reply = read_reply(body);
    ASSERT_FALSE(reply) << body;
    EXPECT_EQ(reply.error().kind, kind) << body;
    EXPECT_THAT(reply.error().message, HasSubstr(message));
    EXPECT_EQ(reply.error().message.find('\n'), std::string::npos);
  };
  using Kind = ChatErrorKind;
  expect("", Kind::bad_answer, "not JSON");
  expect("<html>\nbusy</html>", Kind::bad_answer, "not JSON");
  expect("[1, 2]", Kind::bad_answer, "no choices");
  expect(R"({"choices": []})", Kind::bad_answer, "empty");
  expect(R"({"choices": {"a": 1}})", Kind::bad_answer, "no choices");
  expect(R"({"choices": [3]})", Kind::bad_answer, "no message");
  expect(R"({"error": {"message": "overloaded"}})", Kind::bad_answer,
         "overloaded");
  expect(R"({"choices": [{"message": {"content": null}}]})", Kind::bad_answer,
         "no content");
  expect(R"({"choices": [{"message": {"content": " \n"}}]})", Kind::bad_answer,
         "no content");
  expect(R"({"choices": [{"message": {"content": 7}}]})", Kind::bad_answer,
         "no content");
  expect(R"({"choices": [{"message": {"content": null,
            "refusal": "I can't do that"}}]})",
         Kind::declined, "I can't do that");
  expect(R"({"choices": [{"message": {"content": null},
            "finish_reason": "content_filter"}]})",
         Kind::declined, "filter");
  expect(R"({"choices": [{"message": {"content": ""},
            "finish_reason": "length"}]})",
         Kind::bad_answer, "max_completion_tokens");
}

TEST(ReadComplaint, TakesTheFormsThatServicesUse) {
  EXPECT_EQ(read_complaint(R"({"error": {"message": "no", "code": "c",
                               "param": "seed"}})")
                .parameter,
            "seed");
  EXPECT_EQ(read_complaint(R"({"error": "no"})").message, "no");
  EXPECT_EQ(read_complaint(R"([{"error": {"message": "no"}}])").message, "no");
  EXPECT_EQ(read_complaint(R"({"detail": "no"})").message, "no");
  EXPECT_EQ(read_complaint("gateway\ntimeout").message, "gateway timeout");
  EXPECT_EQ(read_complaint("").message, "nothing said");
}

TEST(GiveWay, DropsWhatAModelDoesNotTake) {
  ChatParameters sent{.temperature = 1, .top_p = 0.9, .max_tokens = 50};
  // OpenAI's reasoning models; then the two that exclude each other elsewhere.
  EXPECT_TRUE(give_way({"Unsupported parameter", "", "max_tokens"}, sent));
  EXPECT_EQ(sent.max_tokens, std::nullopt);
  EXPECT_EQ(sent.max_completion_tokens, 50);
  EXPECT_TRUE(give_way(
      {"`temperature` and `top_p` cannot both be specified", "", ""}, sent));
  EXPECT_EQ(sent.top_p, std::nullopt);
  EXPECT_EQ(sent.temperature, 1);
  EXPECT_FALSE(give_way({"Invalid 'messages'", "", "messages"}, sent));
  EXPECT_FALSE(give_way({"the temperature outside is 30", "", ""}, sent));
  EXPECT_TRUE(give_way({"Unknown name \"temperature\"", "", ""}, sent));
  EXPECT_EQ(sent.temperature, std::nullopt);
}

}  // namespace
}  // namespace evoke::llm
