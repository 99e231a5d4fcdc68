#include "evoke/model/model_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/model/tiny_model.h"

namespace evoke::model {
namespace {

using test::tiny_config;
using test::TinyModel;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

Result<Qwen3Config> read(const Json& config) {
  const TinyModel model;
  model.write_config(config);
  return read_model_config(model.path());
}

TEST(ModelConfig, ReadsEverySize) {
  const auto config = read(tiny_config());
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->hidden_size, 32);
  EXPECT_EQ(config->num_layers, 2);
  EXPECT_EQ(config->intermediate_size, 64);
  EXPECT_EQ(config->num_q_heads, 4);
  EXPECT_EQ(config->num_kv_heads, 2);
  EXPECT_EQ(config->head_dim, 16);
  EXPECT_EQ(config->vocab_size, 300);
  EXPECT_FLOAT_EQ(config->rms_norm_eps, 1e-6F);
  EXPECT_FLOAT_EQ(config->rope_theta, 1e6F);
  EXPECT_TRUE(config->tie_word_embeddings);
  EXPECT_FALSE(config->quantization);
  EXPECT_THAT(config->eos_ids, ElementsAre(299));
}

TEST(ModelConfig, ReadsRopeThetaWhereTransformers5PutsIt) {
  Json json = tiny_config();
  json.erase("rope_theta");
  json["rope_parameters"] = {{"rope_theta", 5e5}, {"rope_type", "default"}};
  const auto config = read(json);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_FLOAT_EQ(config->rope_theta, 5e5F);
}

TEST(ModelConfig, TakesEndTokensFromGenerationConfigFirst) {
  const TinyModel model;
  test::write_text(model.file("generation_config.json"),
                   R"({"eos_token_id": [7, 9], "temperature": 0.6})");
  EXPECT_THAT(read_model_config(model.path())->eos_ids, ElementsAre(7, 9));
  test::write_text(model.file("generation_config.json"), R"({"top_k": 20})");
  EXPECT_THAT(read_model_config(model.path())->eos_ids, ElementsAre(299));
  Json json = tiny_config();
  json["eos_token_id"] = nullptr;
  model.write_config(json);
  EXPECT_THAT(read_model_config(model.path())->eos_ids, IsEmpty());
}

TEST(ModelConfig, ReadsQuantizationAndItsExceptions) {
  Json json = tiny_config();
  json["quantization"] = {
      {"group_size", 64},
      {"bits", 4},
      {"model.embed_tokens", {{"group_size", 32}, {"bits", 8}}},
      {"lm_head", false}};
  const auto config = read(json);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->quantization_of("model.layers.0.mlp.up_proj"),
            (Quantization{64, 4}));
  EXPECT_EQ(config->quantization_of("model.embed_tokens"),
            (Quantization{32, 8}));
  EXPECT_EQ(config->quantization_of("lm_head"), std::nullopt);
}

struct Fault {
  const char* key;
  Json value;  // discarded: the key is taken away
  const char* says;
};

TEST(ModelConfig, RefusesOthersInOneLineThatNamesWhatItFound) {
  const Json gone(Json::value_t::discarded);
  const std::vector<Fault> faults = {
      {"model_type", "llama", "\"llama\""},
      {"model_type", "qwen3_moe", "\"qwen3_moe\""},
      {"model_type", gone, "model_type"},
      {"architectures", {"Qwen3ForSequenceClassification"}, "Classification"},
      {"hidden_size", gone, "hidden_size"},
      {"hidden_size", 0, "hidden_size is 0"},
      {"num_hidden_layers", -3, "num_hidden_layers is -3"},
      {"head_dim", "128", "head_dim is \"128\""},
      {"head_dim", 15, "head_dim is 15"},
      {"vocab_size", 3000000000, "vocab_size is 3000000000"},
      {"num_attention_heads", 1 << 21, "from 1 to 1048576"},
      {"intermediate_size", 64.5, "intermediate_size is 64.5"},
      {"num_key_value_heads", 3, "no multiple of"},
      {"rms_norm_eps", 0, "rms_norm_eps is 0"},
      {"rope_theta", gone, "rope_theta"},
      {"rope_scaling", {{"rope_type", "yarn"}, {"factor", 4.0}}, "\"yarn\""},
      {"rope_scaling", {{"type", "linear"}, {"factor", 4.0}}, "\"linear\""},
      {"hidden_act", "gelu", "\"gelu\""},
      {"attention_bias", true, "attention_bias"},
      {"use_sliding_window", true, "use_sliding_window"},
      {"layer_types", {"full_attention", "sliding_attention"}, "layer_types"},
      {"tie_word_embeddings", "yes", "tie_word_embeddings"},
      {"eos_token_id", "</s>", "eos_token_id"},
      {"eos_token_id", {1, -1}, "eos_token_id"},
      {"quantization", {{"group_size", 64}, {"bits", 7}}, "7 bits"},
      {"quantization", {{"group_size", 48}, {"bits", 4}}, "groups of 48"},
      {"quantization",
       {{"group_size", 32}, {"bits", 4}, {"mode", "mxfp4"}},
       "\"mxfp4\""},
      {"quantization_config", {{"quant_method", "awq"}}, "\"awq\""},
  };
  for (const Fault& fault : faults) {
    Json json = tiny_config();
    if (fault.value.is_discarded()) {
      json.erase(fault.key);
    } else {
      json[fault.key] = fault.value;
    }
    const auto config = read(json);
    ASSERT_FALSE(config) << fault.says;
    EXPECT_THAT(config.error().message, HasSubstr(fault.says));
    EXPECT_THAT(config.error().message, HasSubstr("config.json"));
    EXPECT_THAT(config.error().message, Not(HasSubstr("\n")));
  }
}

TEST(ModelConfig, TellsMissingFromDamaged) {
  const TinyModel model;
  test::write_text(model.file("config.json"), R"({"model_type": "qwen3", )");
  const auto damaged = read_model_config(model.path());
  EXPECT_EQ(damaged.error().kind, ErrorKind::failed);
  EXPECT_THAT(damaged.error().message, HasSubstr("cut short"));
  std::filesystem::remove(model.file("config.json"));
  const auto missing = read_model_config(model.path());
  EXPECT_EQ(missing.error().kind, ErrorKind::absent);
  EXPECT_THAT(missing.error().message, HasSubstr("no config.json"));
  const auto nowhere = read_model_config(model.file("nowhere"));
  EXPECT_EQ(nowhere.error().kind, ErrorKind::absent);
  EXPECT_THAT(nowhere.error().message, HasSubstr("no such folder"));
}

}  // namespace
}  // namespace evoke::model
