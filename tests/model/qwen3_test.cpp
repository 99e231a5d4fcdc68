#include "evoke/model/qwen3.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <mlx/ops.h>
#include <mlx/random.h>
#include <mlx/transforms.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "tests/model/tiny_model.h"

namespace evoke::model {
namespace {

namespace mx = mlx::core;
using test::Arrays;
using test::tiny_config;
using test::tiny_weights;
using test::TinyModel;
using testing::HasSubstr;
using testing::Not;

constexpr double kNear = 1e-5;  // float32, other orders of summation

Qwen3 load(const TinyModel& model, AttentionOp op = fast_attention()) {
  auto loaded = Qwen3::load(model.path(), std::nullopt, std::move(op));
  if (!loaded) throw std::runtime_error(loaded.error().message);
  return *std::move(loaded);
}

mx::array random_tokens(int batch, int length, uint64_t seed) {
  return mx::random::randint(mx::array(0), mx::array(300), {batch, length},
                             mx::int32, mx::random::key(seed));
}

mx::array columns(const mx::array& x, int first, int last) {
  mx::Shape start(x.ndim(), 0);
  mx::Shape stop = x.shape();
  start[1] = first;
  stop[1] = last;
  return mx::slice(x, start, stop);
}

mx::array all_logits(const Qwen3& model, const mx::array& tokens) {
  KvCache kv_cache = model.make_kv_cache();
  return *model.step(tokens, kv_cache, Rows::all);
}

bool near(const mx::array& a, const mx::array& b) {
  return mx::allclose(a, b, kNear, kNear).item<bool>();
}

TEST(Qwen3, GivesTheSameWithJoinedProducts) {
  const TinyModel folder;
  const Qwen3 apart = load(folder);
  Qwen3 joined = load(folder);
  joined.join_products();
  EXPECT_EQ(joined.weight_bytes(), apart.weight_bytes());
  const mx::array prompt = random_tokens(1, 5, 1);
  KvCache one = apart.make_kv_cache();
  KvCache other = joined.make_kv_cache();
  EXPECT_TRUE(near(*apart.step(prompt, one, Rows::last),
                   *joined.step(prompt, other, Rows::last)));
  for (int i = 0; i < 3; ++i) {
    const mx::array token = random_tokens(1, 1, 2 + i);
    EXPECT_TRUE(near(*apart.step(token, one, Rows::last),
                     *joined.step(token, other, Rows::last)));
  }
  // A batch of one token each.
  const mx::array tokens = random_tokens(3, 1, 9);
  EXPECT_TRUE(near(all_logits(apart, tokens), all_logits(joined, tokens)));
}

TEST(Qwen3, GivesTheSameInChunksOfAnySizeAsAtOnce) {
  const TinyModel folder;
  const Qwen3 model = load(folder);
  struct Case {
    int length;
    int chunk;
  };
  // Beyond one growth of the cache, and beyond two.
  for (const auto& [length, chunk] : std::vector<Case>{
           {270, 1}, {300, 7}, {600, 255}, {600, 256}, {600, 257}}) {
    const mx::array tokens = random_tokens(1, length, 1);
    KvCache kv_cache = model.make_kv_cache();
    std::vector<mx::array> parts;
    for (int first = 0; first < length; first += chunk) {
      parts.push_back(
          *model.step(columns(tokens, first, std::min(length, first + chunk)),
                      kv_cache, Rows::all));
      mx::eval(parts.back());
    }
    EXPECT_EQ(kv_cache.length(), length);
    EXPECT_EQ(kv_cache.capacity(), length > 512 ? 768 : 512);
    EXPECT_TRUE(near(mx::concatenate(parts, 1), all_logits(model, tokens)))
        << chunk;
  }
}

TEST(Qwen3, GivesTheSameRowsWhicheverAreAskedFor) {
  const TinyModel folder;
  const Qwen3 model = load(folder);
  const mx::array tokens = random_tokens(2, 50, 2);
  const mx::array whole = all_logits(model, tokens);
  KvCache kv_cache = model.make_kv_cache();
  EXPECT_EQ(model.step(columns(tokens, 0, 20), kv_cache, Rows::none),
            std::nullopt);
  EXPECT_EQ(kv_cache.length(), 20);
  EXPECT_TRUE(near(*model.step(columns(tokens, 20, 30), kv_cache, Rows::last),
                   columns(whole, 29, 30)));
  EXPECT_TRUE(near(*model.step(columns(tokens, 30, 50), kv_cache, Rows::all),
                   columns(whole, 30, 50)));
}

TEST(Qwen3, LetsTextsOfABatchNotSeeEachOther) {
  const TinyModel folder;
  const Qwen3 model = load(folder);
  const mx::array tokens = random_tokens(3, 40, 3);
  const mx::array together = all_logits(model, tokens);
  for (int text = 0; text < 3; ++text) {
    const mx::array alone =
        all_logits(model, mx::slice(tokens, {text, 0}, {text + 1, 40}));
    EXPECT_TRUE(
        near(alone, mx::slice(together, {text, 0, 0}, {text + 1, 40, 300})));
  }
}

TEST(Qwen3, SeesNoTokenThatComesLater) {
  const TinyModel folder;
  const Qwen3 model = load(folder);
  const mx::array tokens = random_tokens(1, 30, 4);
  const mx::array other =
      mx::concatenate({columns(tokens, 0, 20), random_tokens(1, 10, 5)}, 1);
  const mx::array a = all_logits(model, tokens);
  const mx::array b = all_logits(model, other);
  EXPECT_TRUE(near(columns(a, 0, 20), columns(b, 0, 20)));
  EXPECT_FALSE(near(columns(a, 20, 30), columns(b, 20, 30)));
}

TEST(Qwen3, CallsItsAttentionAsOftenAsItSays) {
  const TinyModel folder;
  int calls = 0;
  const Qwen3 model =
      load(folder, [&](const mx::array& query, const mx::array& key,
                       const mx::array& value, float scale, bool causal) {
        ++calls;
        EXPECT_EQ(query.shape(1), 4);
        EXPECT_EQ(query.shape(3), 16);
        EXPECT_EQ(key.shape(1), 2);
        EXPECT_EQ(value.shape(), key.shape());
        EXPECT_FLOAT_EQ(scale, 0.25F);
        EXPECT_EQ(causal, query.shape(2) > 1);
        return fast_attention()(query, key, value, scale, causal);
      });
  KvCache kv_cache = model.make_kv_cache();
  for (const Rows rows : {Rows::none, Rows::last, Rows::all}) {
    calls = 0;
    model.step(random_tokens(1, 5, 6), kv_cache, rows);
    EXPECT_EQ(calls, model.attention_calls(rows));
  }
}

TEST(Qwen3, UsesTheAttentionThatItWasGiven) {
  const TinyModel folder;
  const Qwen3 model =
      load(folder, [](const mx::array& query, const mx::array&,
                      const mx::array&, float, bool) { return query; });
  const mx::array tokens = random_tokens(1, 8, 7);
  EXPECT_FALSE(
      near(all_logits(model, tokens), all_logits(load(folder), tokens)));
}

TEST(Qwen3, RefusesTokensThatAreNoBatch) {
  const TinyModel folder;
  const Qwen3 model = load(folder);
  KvCache kv_cache = model.make_kv_cache();
  EXPECT_THROW(model.step(mx::array({1, 2}), kv_cache, Rows::all),
               std::invalid_argument);
  EXPECT_THROW(model.step(mx::zeros({1, 0}, mx::int32), kv_cache, Rows::all),
               std::invalid_argument);
}

std::string fault_of(const TinyModel& folder) {
  const auto model = Qwen3::load(folder.path(), std::nullopt, fast_attention());
  if (model) return "no fault";
  EXPECT_THAT(model.error().message, HasSubstr(folder.path()));
  EXPECT_THAT(model.error().message, Not(HasSubstr("\n")));
  return model.error().message;
}

TEST(Qwen3, SaysWhichWeightDoesNotFit) {
  const TinyModel folder;
  const Arrays good = tiny_weights(tiny_config());
  Arrays weights = good;
  weights.erase("model.layers.1.mlp.up_proj.weight");
  folder.write_weights(weights);
  EXPECT_THAT(fault_of(folder),
              HasSubstr("no weight 'model.layers.1.mlp.up_proj.weight'"));
  weights = good;
  weights.insert_or_assign("model.layers.0.self_attn.k_norm.weight",
                           mx::ones({8}));
  folder.write_weights(weights);
  EXPECT_THAT(fault_of(folder), HasSubstr("k_norm.weight' is 8"));
  weights = good;
  weights.emplace("model.layers.0.self_attn.q_proj.bias", mx::ones({64}));
  weights.emplace("model.layers.1.self_attn.q_proj.bias", mx::ones({64}));
  folder.write_weights(weights);
  EXPECT_THAT(fault_of(folder), HasSubstr("q_proj.bias' and 1 more"));
  weights = good;
  weights.emplace("lm_head.weight", mx::ones({300, 32}));  // tied, and stored
  folder.write_weights(weights);
  EXPECT_EQ(fault_of(folder), "no fault");
  Json untied = tiny_config();
  untied["tie_word_embeddings"] = false;
  folder.write_config(untied);
  EXPECT_EQ(fault_of(folder), "no fault");
  folder.write_weights(good);
  EXPECT_THAT(fault_of(folder), HasSubstr("no weight 'lm_head.weight'"));
}

TEST(Qwen3, SaysWhichPackedWeightDoesNotFit) {
  const TinyModel folder;
  Json config = tiny_config();
  Arrays weights = tiny_weights(config);
  const std::string name = "model.layers.0.mlp.gate_proj";
  const std::vector<mx::array> packed =
      mx::quantize(weights.at(name + ".weight"), 32, 4);
  weights.insert_or_assign(name + ".weight", packed[0]);
  weights.emplace(name + ".scales", packed[1]);
  weights.emplace(name + ".biases", packed[2]);
  folder.write_weights(weights);
  EXPECT_THAT(fault_of(folder), HasSubstr("does not say how"));
  config["quantization"] = {{"group_size", 32}, {"bits", 4}};
  folder.write_config(config);
  EXPECT_EQ(fault_of(folder), "no fault");
  config["quantization"] = {{"group_size", 32}, {"bits", 8}};
  folder.write_config(config);
  EXPECT_THAT(fault_of(folder), HasSubstr("gate_proj.weight' is 64 x 4"));
  config["quantization"] = {{"group_size", 64}, {"bits", 4}};
  folder.write_config(config);
  EXPECT_THAT(fault_of(folder), HasSubstr("no multiple of groups of 64"));
  config["quantization"] = {{"group_size", 32}, {"bits", 4}, {name, false}};
  folder.write_config(config);
  EXPECT_THAT(fault_of(folder), HasSubstr("does not say how"));
}

}  // namespace
}  // namespace evoke::model
