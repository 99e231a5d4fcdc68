// Texts and draws against mlx-lm's.
#include <gtest/gtest.h>
#include <mlx/ops.h>

#include <string>
#include <vector>

#include "evoke/model/generate.h"
#include "evoke/model/sampling.h"
#include "evoke/model/tokenizer/chat_template.h"
#include "evoke/model/tokenizer/streaming_decoder.h"
#include "tests/model/expected.h"

namespace evoke::model {
namespace {

namespace mx = mlx::core;
using Ids = std::vector<int32_t>;
using test::json_of;
using test::kFolder;
using test::load_model;
using test::ModelExpected;

TEST_F(ModelExpected, GenerationsAreMlxLmsTokenForToken) {
  const Json cases = json_of("generated.json");
  ASSERT_GE(cases.size(), 12);
  int stopped = 0;
  for (const Json& each : cases) {
    const std::string name = each["model"];
    const Qwen3 model = load_model(name);
    const auto tokenizer = Tokenizer::load(kFolder + "/" + name);
    ASSERT_TRUE(tokenizer) << tokenizer.error().message;
    const std::vector<ChatMessage> messages = {{"user", each["prompt"]}};
    const auto prompt =
        tokenizer->encode(render_chat(messages, ChatOptions{}).value());
    ASSERT_EQ(prompt.value(), each["prompt_ids"].get<Ids>());
    StreamingDecoder decoder(*tokenizer, false);
    std::string text;
    KvCache kv_cache = model.make_kv_cache();
    const Generation result =
        generate(model, kv_cache, *prompt,
                 {.max_tokens = 40, .eos_ids = each["eos_ids"].get<Ids>()},
                 [&](int32_t id) {
                   text += decoder.add(id);
                   return true;
                 });
    text += decoder.finish();
    EXPECT_EQ(result.tokens, each["ids"].get<Ids>());
    EXPECT_EQ(text, each["text"].get<std::string>());
    const bool stops = each["finish_reason"] == "stop";
    stopped += static_cast<int>(stops);
    EXPECT_EQ(result.finish_reason,
              stops ? FinishReason::stop : FinishReason::length);
  }
  EXPECT_GE(stopped, 6);
}

TEST_F(ModelExpected, DrawsAreMlxLmsWithTheSameSeed) {
  const mx::array logits = test::arrays_of("draws.safetensors").at("logits");
  const Json cases = json_of("draws.json");
  ASSERT_GE(cases.size(), 8);
  for (const Json& each : cases) {
    const Json& options = each["options"];
    Sampler sampler(
        {.temperature = options.value("temp", 0.0),
         .top_p = options.value("top_p", 1.0),
         .top_k = options.value("top_k", 0),
         .min_p = options.value("min_p", 0.0),
         .repetition_penalty = options.value("repetition_penalty", 1.0),
         .repetition_context = options.value("context", 20),
         .seed = each["seed"]});
    const Ids prompt = each["prompt"];
    sampler.see(mx::array(prompt.data(), {1, 3}, mx::int32));
    Ids drawn;
    for (int row = 0; row < logits.shape(0); ++row) {
      mx::array token =
          sampler.next(mx::slice(logits, {row, 0}, {row + 1, logits.shape(1)}));
      drawn.push_back(static_cast<int32_t>(token.item<uint32_t>()));
    }
    EXPECT_EQ(drawn, each["ids"].get<Ids>()) << options;
  }
}

}  // namespace
}  // namespace evoke::model
