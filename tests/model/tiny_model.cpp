#include "tests/model/tiny_model.h"

#include <mlx/io.h>
#include <mlx/ops.h>
#include <mlx/random.h>

#include <cmath>
#include <fstream>

#include "tests/model/tokenizer/tiny_tokenizer.h"

namespace evoke::model::test {
namespace {

namespace mx = mlx::core;

}  // namespace

Json tiny_config() {
  return {{"architectures", {"Qwen3ForCausalLM"}},
          {"model_type", "qwen3"},
          {"hidden_size", 32},
          {"num_hidden_layers", 2},
          {"intermediate_size", 64},
          {"num_attention_heads", 4},
          {"num_key_value_heads", 2},
          {"head_dim", 16},
          {"vocab_size", 300},
          {"rms_norm_eps", 1e-6},
          {"rope_theta", 1000000},
          {"tie_word_embeddings", true},
          {"eos_token_id", 299}};
}

Arrays tiny_weights(const Json& config, uint64_t seed) {
  Arrays weights;
  const auto add = [&](const std::string& name, mx::Shape shape) {
    mx::array x = mx::random::normal(shape, mx::float32, mx::random::key(seed));
    ++seed;
    const float scale = 1 / std::sqrt(static_cast<float>(shape.back()));
    x = shape.size() == 1
            ? mx::add(mx::array(1.0F), mx::multiply(x, mx::array(0.1F)))
            : mx::multiply(x, mx::array(scale));
    weights.emplace(name + ".weight", x);
  };
  const int hidden = config.at("hidden_size");
  const int inner = config.at("intermediate_size");
  const int head_dim = config.at("head_dim");
  const int query = config.at("num_attention_heads").get<int>() * head_dim;
  const int key = config.at("num_key_value_heads").get<int>() * head_dim;
  const int vocab = config.at("vocab_size");
  add("model.embed_tokens", {vocab, hidden});
  add("model.norm", {hidden});
  if (!config.at("tie_word_embeddings").get<bool>()) {
    add("lm_head", {vocab, hidden});
  }
  for (int i = 0; i < config.at("num_hidden_layers").get<int>(); ++i) {
    const std::string layer = "model.layers." + std::to_string(i) + ".";
    add(layer + "input_layernorm", {hidden});
    add(layer + "post_attention_layernorm", {hidden});
    add(layer + "self_attn.q_norm", {head_dim});
    add(layer + "self_attn.k_norm", {head_dim});
    add(layer + "self_attn.q_proj", {query, hidden});
    add(layer + "self_attn.k_proj", {key, hidden});
    add(layer + "self_attn.v_proj", {key, hidden});
    add(layer + "self_attn.o_proj", {hidden, query});
    add(layer + "mlp.gate_proj", {inner, hidden});
    add(layer + "mlp.up_proj", {inner, hidden});
    add(layer + "mlp.down_proj", {hidden, inner});
  }
  return weights;
}

void write_text(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

TinyModel::TinyModel(Json config) {
  write_config(config);
  write_weights(tiny_weights(config));
  write_text(file("tokenizer.json"), tiny_tokenizer().dump());
}

void TinyModel::write_config(const Json& config) const {
  write_text(file("config.json"), config.dump());
}

void TinyModel::write_weights(const Arrays& weights,
                              const std::string& name) const {
  mx::save_safetensors(file(name), weights);
}

}  // namespace evoke::model::test
