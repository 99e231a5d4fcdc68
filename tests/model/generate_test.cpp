#include "evoke/model/generate.h"

#include <gtest/gtest.h>
#include <mlx/fast.h>

#include <stdexcept>
#include <vector>

#include "evoke/base/error.h"
#include "tests/model/tiny_model.h"

namespace evoke::model {
namespace {

using test::TinyModel;
using Ids = std::vector<int32_t>;

class Generate : public testing::Test {
 protected:
  Generate() : model_(load()) {}

  Generation run(const Ids& prompt, GenerateOptions options) {
    KvCache kv_cache = model_.make_kv_cache();
    return generate(model_, kv_cache, prompt, options,
                    [](int32_t) { return true; });
  }

  TinyModel folder_;
  int calls_ = 0;
  Qwen3 model_;

 private:
  Qwen3 load() {
    auto model =
        Qwen3::load(folder_.path(), std::nullopt,
                    [this](const auto& query, const auto& key,
                           const auto& value, float scale, bool causal) {
                      ++calls_;
                      return fast_attention()(query, key, value, scale, causal);
                    });
    if (!model) throw std::runtime_error(model.error().message);
    return *std::move(model);
  }
};

const Ids kPrompt = {1, 2, 3, 250, 5, 6, 7, 8, 9, 10};

TEST_F(Generate, GivesAsManyTokensAsAskedFor) {
  for (const int count : {1, 2, 30}) {
    const Generation result =
        run(kPrompt, {.max_tokens = count, .ignore_eos = true});
    EXPECT_EQ(result.tokens.size(), count);
    EXPECT_EQ(result.finish_reason, FinishReason::length);
    EXPECT_EQ(result.prompt_tokens, 10);
    EXPECT_EQ(result.steps, count);
    EXPECT_EQ(result.decode_tokens, count - 1);
    EXPECT_GT(result.prompt_tokens_per_s(), 0);
    EXPECT_EQ(result.generation_tokens_per_s() > 0, count > 1);
  }
}

TEST_F(Generate, DoesNotDependOnTheStepsOfThePrompt) {
  const Ids whole = run(kPrompt, {.max_tokens = 20}).tokens;
  for (const int step : {1, 3, 9, 10, 11}) {
    const Generation result =
        run(kPrompt, {.max_tokens = 20, .prefill_step = step});
    EXPECT_EQ(result.tokens, whole) << step;
    EXPECT_EQ(result.steps, 20 + (9 / step));
  }
}

TEST_F(Generate, CountsEveryCallOfTheAttention) {
  for (const int step : {3, 100}) {
    for (const bool stops : {false, true}) {
      GenerateOptions options{.max_tokens = 12, .prefill_step = step};
      if (stops) {
        options.eos_ids = {run(kPrompt, options).tokens[4]};
      }
      calls_ = 0;
      const Generation result = run(kPrompt, options);
      EXPECT_EQ(result.attention_calls, calls_);
      EXPECT_EQ(result.finish_reason,
                stops ? FinishReason::stop : FinishReason::length);
    }
  }
}

TEST_F(Generate, EndsBeforeAnEndTokenUnlessToldToIgnoreIt) {
  const Ids whole = run(kPrompt, {.max_tokens = 20}).tokens;
  const auto first = std::find(whole.begin(), whole.end(), whole[7]);
  GenerateOptions options{.max_tokens = 20, .eos_ids = {299, whole[7]}};
  EXPECT_EQ(run(kPrompt, options).tokens, Ids(whole.begin(), first));
  options.ignore_eos = true;
  EXPECT_EQ(run(kPrompt, options).tokens, whole);
}

TEST_F(Generate, EndsWhenTheSinkSaysSo) {
  KvCache kv_cache = model_.make_kv_cache();
  Ids seen;
  const Generation result =
      generate(model_, kv_cache, kPrompt, {.max_tokens = 20}, [&](int32_t id) {
        seen.push_back(id);
        return seen.size() < 3;
      });
  EXPECT_EQ(result.finish_reason, FinishReason::canceled);
  EXPECT_EQ(result.tokens, seen);
  EXPECT_EQ(seen.size(), 3);
}

TEST_F(Generate, GoesOnWithAKvCacheThatHoldsTheBeginning) {
  const Ids whole = run(kPrompt, {.max_tokens = 8}).tokens;
  KvCache kv_cache = model_.make_kv_cache();
  const std::span<const int32_t> prompt(kPrompt);
  const auto ignore = [](int32_t) { return true; };
  generate(model_, kv_cache, prompt.first(6), {.max_tokens = 1}, ignore);
  EXPECT_EQ(kv_cache.length(), 6);
  EXPECT_EQ(
      generate(model_, kv_cache, prompt.subspan(6), {.max_tokens = 8}, ignore)
          .tokens,
      whole);
}

TEST_F(Generate, RefusesPromptsThatTheModelCannotRead) {
  EXPECT_THROW(run({}, {}), UsageError);
  EXPECT_THROW(run({1, 300}, {}), UsageError);
  EXPECT_THROW(run({-1}, {}), UsageError);
  EXPECT_THROW(run({1}, {.max_tokens = 0}), UsageError);
  EXPECT_THROW(run({1}, {.prefill_step = -1}), UsageError);
}

}  // namespace
}  // namespace evoke::model
