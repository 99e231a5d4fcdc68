#include "evoke/model/qwen3.h"

#include <mlx/compile.h>
#include <mlx/device.h>
#include <mlx/fast.h>
#include <mlx/memory.h>
#include <mlx/ops.h>
#include <mlx/transforms.h>

#include <cmath>
#include <exception>
#include <stdexcept>
#include <utility>

#include "evoke/base/utf8.h"
#include "evoke/model/tokenizer/json_part.h"

namespace evoke::model {
namespace {

namespace mx = mlx::core;

// (B, L, H * D) to (B, H, L, D), as a view.
mx::array split_heads(const mx::array& x, int heads) {
  return mx::transpose(
      mx::reshape(x, {x.shape(0), x.shape(1), heads, x.shape(2) / heads}),
      {0, 2, 1, 3});
}

mx::array join_heads(const mx::array& x) {
  const mx::array turned = mx::transpose(x, {0, 2, 1, 3});
  return mx::reshape(turned, {x.shape(0), x.shape(2), -1});
}

// The last row of each text, (B, 1, ...).
mx::array last_row(const mx::array& x) {
  const int length = x.shape(1);
  if (length == 1) return x;
  return mx::slice(x, {0, length - 1, 0}, {x.shape(0), length, x.shape(2)});
}

// A joined product's output apart again: its last dimension into `sizes`.
std::vector<mx::array> apart(const mx::array& x,
                             const std::vector<int>& sizes) {
  std::vector<mx::array> parts;
  mx::Shape start(x.ndim(), 0);
  mx::Shape stop = x.shape();
  for (const int size : sizes) {
    stop.back() = start.back() + size;
    parts.push_back(mx::slice(x, start, stop));
    start.back() = stop.back();
  }
  return parts;
}

mx::array gated(const mx::array& gate, const mx::array& up) {
  return mx::multiply(mx::multiply(gate, mx::sigmoid(gate)), up);
}

// Elementwise operations become one kernel where MLX compiles for a GPU; on a
// CPU it would start a C++ compiler.
auto make_gated() {
  using Gated = std::function<mx::array(const mx::array&, const mx::array&)>;
  if (mx::default_device() != mx::Device::gpu) return Gated(gated);
  auto compiled = mx::compile(
      [](const std::vector<mx::array>& inputs) {
        return std::vector<mx::array>{gated(inputs[0], inputs[1])};
      },
      /*shapeless=*/true);
  return Gated([compiled = std::move(compiled)](const mx::array& gate,
                                                const mx::array& up) {
    return compiled({gate, up})[0];
  });
}

std::string list_some(const std::vector<std::string>& names) {
  std::string text = in_quotes(names.front());
  if (names.size() > 1) {
    text += " and " + std::to_string(names.size() - 1) + " more";
  }
  return text;
}

}  // namespace

Qwen3::Layer Qwen3::make_layer(const Qwen3Config& config, Weights& weights,
                               int index) {
  const std::string name = "model.layers." + std::to_string(index) + ".";
  const int hidden = config.hidden_size;
  const int query = config.num_q_heads * config.head_dim;
  const int key = config.num_kv_heads * config.head_dim;
  const auto linear = [&](const char* part, int outputs, int inputs) {
    return Linear(weights, name + part, outputs, inputs, config);
  };
  const auto norm = [&](const char* part, int size) {
    return weights.take(name + part + ".weight", {size});
  };
  return {.input_norm = norm("input_layernorm", hidden),
          .query = linear("self_attn.q_proj", query, hidden),
          .key = linear("self_attn.k_proj", key, hidden),
          .value = linear("self_attn.v_proj", key, hidden),
          .output = linear("self_attn.o_proj", hidden, query),
          .query_norm = norm("self_attn.q_norm", config.head_dim),
          .key_norm = norm("self_attn.k_norm", config.head_dim),
          .post_attention_norm = norm("post_attention_layernorm", hidden),
          .gate = linear("mlp.gate_proj", config.intermediate_size, hidden),
          .up = linear("mlp.up_proj", config.intermediate_size, hidden),
          .down = linear("mlp.down_proj", hidden, config.intermediate_size)};
}

Qwen3::Qwen3(Qwen3Config config, Weights& weights, AttentionOp attention)
    : config_(std::move(config)),
      attention_(std::move(attention)),
      embedding_(weights, "model.embed_tokens", config_.vocab_size,
                 config_.hidden_size, config_),
      norm_(weights.take("model.norm.weight", {config_.hidden_size})),
      gated_(make_gated()) {
  layers_.reserve(config_.num_layers);
  for (int i = 0; i < config_.num_layers; ++i) {
    layers_.push_back(make_layer(config_, weights, i));
  }
  if (!config_.tie_word_embeddings) {
    head_.emplace(weights, "lm_head", config_.vocab_size, config_.hidden_size,
                  config_);
  }
}

Result<Qwen3> Qwen3::load(const std::filesystem::path& model_folder,
                          std::optional<mx::Dtype> dtype,
                          AttentionOp attention) {
  auto config = read_model_config(model_folder);
  if (!config) return error_of(config);
  auto weights = Weights::open(model_folder);
  if (!weights) return error_of(weights);
  const std::string name = one_line(model_folder.string(), 500);
  try {
    if (dtype) weights->cast(*dtype);
    Qwen3 model(*std::move(config), *weights, std::move(attention));
    std::vector<std::string> rest = weights->rest();
    // Some tools write tied weights twice.
    std::erase_if(rest, [&](const std::string& each) {
      return model.config_.tie_word_embeddings && each.starts_with("lm_head.");
    });
    if (!rest.empty()) {
      refuse("has weights that a Qwen3 of its config.json has not: " +
             list_some(rest));
    }
    *weights = Weights();
    model.load_weights(dtype.has_value());
    if (mx::default_device() == mx::Device::gpu) model.join_products();
    return model;
  } catch (const FileError& error) {
    return failed(name + ": " + error.what);
  } catch (const std::exception& error) {
    return failed(name + ": " + one_line(error.what()));
  }
}

std::vector<mx::array> Qwen3::weights_of(const Layer& layer) const {
  std::vector<mx::array> arrays = {layer.input_norm, layer.query_norm,
                                   layer.key_norm, layer.post_attention_norm};
  for (const Linear* each :
       {&layer.query, &layer.key, &layer.value, &layer.output, &layer.gate,
        &layer.up, &layer.down}) {
    each->append_to(arrays);
  }
  return arrays;
}

std::vector<mx::array> Qwen3::other_weights() const {
  std::vector<mx::array> arrays = {norm_};
  embedding_.append_to(arrays);
  if (head_) head_->append_to(arrays);
  return arrays;
}

// All at once reads the most at a time; casts are done layer by layer, so
// that only one layer is in memory twice.
void Qwen3::load_weights(bool one_by_one) const {
  std::vector<mx::array> pending = other_weights();
  for (const Layer& layer : layers_) {
    if (one_by_one) {
      mx::eval(pending);
      pending.clear();
    }
    for (mx::array& array : weights_of(layer)) {
      pending.push_back(std::move(array));
    }
  }
  mx::eval(pending);
}

void Qwen3::join_products() {
  for (Layer& layer : layers_) {
    layer.query_key_value =
        Linear::join({&layer.query, &layer.key, &layer.value});
    layer.gate_up = Linear::join({&layer.gate, &layer.up});
  }
}

std::size_t Qwen3::weight_bytes() const {
  std::size_t bytes = 0;
  for (const mx::array& array : other_weights()) bytes += array.nbytes();
  for (const Layer& layer : layers_) {
    for (const mx::array& array : weights_of(layer)) bytes += array.nbytes();
  }
  return bytes;
}

// Empty: nothing is wanted beyond the keys and values, which are stored.
std::optional<mx::array> Qwen3::attend(int index, const mx::array& x,
                                       const mx::array& position,
                                       KvCache& kv_cache, Rows rows) const {
  const Layer& layer = layers_[index];
  const float eps = config_.rms_norm_eps;
  const auto finish = [&](const mx::array& projected, const mx::array& norm,
                          int heads, const mx::array& offset) {
    const mx::array split = split_heads(projected, heads);
    return mx::fast::rope(mx::fast::rms_norm(split, norm, eps),
                          config_.head_dim, false, config_.rope_theta, 1.0F,
                          offset);
  };
  // Query, key and value of one token, in one product.
  std::vector<mx::array> joined;
  if (layer.query_key_value && x.shape(1) == 1) {
    const int key_width = config_.num_kv_heads * config_.head_dim;
    joined =
        apart((*layer.query_key_value)(x),
              {config_.num_q_heads * config_.head_dim, key_width, key_width});
  }
  const mx::array key = finish(joined.empty() ? layer.key(x) : joined[1],
                               layer.key_norm, config_.num_kv_heads, position);
  const mx::array value = split_heads(
      joined.empty() ? layer.value(x) : joined[2], config_.num_kv_heads);
  const auto [keys, values] = kv_cache.append(index, key, value);
  const bool last_layer = index + 1 == config_.num_layers;
  if (last_layer && rows == Rows::none) return std::nullopt;
  const mx::array asking = last_layer && rows == Rows::last ? last_row(x) : x;
  const bool all_ask = asking.shape(1) == x.shape(1);
  const mx::array query =
      finish(joined.empty() ? layer.query(asking) : joined[0], layer.query_norm,
             config_.num_q_heads,
             all_ask ? position : mx::array(kv_cache.length(index) - 1));
  const float scale = 1.0F / std::sqrt(static_cast<float>(config_.head_dim));
  const mx::array output =
      attention_(query, keys, values, scale, query.shape(2) > 1);
  return layer.output(join_heads(output));
}

std::optional<mx::array> Qwen3::step(const mx::array& tokens, KvCache& kv_cache,
                                     Rows rows) const {
  if (tokens.ndim() != 2 || tokens.size() == 0) {
    throw std::invalid_argument(
        "[Qwen3::step] tokens must be (B, L) with at least one token.");
  }
  const float eps = config_.rms_norm_eps;
  mx::array x = embedding_.rows(tokens);
  const mx::array position(kv_cache.length(0));
  for (int i = 0; i < config_.num_layers; ++i) {
    const Layer& layer = layers_[i];
    const auto attended =
        attend(i, mx::fast::rms_norm(x, layer.input_norm, eps), position,
               kv_cache, rows);
    if (!attended) return std::nullopt;
    if (attended->shape(1) != x.shape(1)) x = last_row(x);
    x = mx::add(x, *attended);
    const mx::array y = mx::fast::rms_norm(x, layer.post_attention_norm, eps);
    std::vector<mx::array> joined;
    if (layer.gate_up && y.shape(1) == 1) {
      const int width = config_.intermediate_size;
      joined = apart((*layer.gate_up)(y), {width, width});
    }
    const mx::array gate = joined.empty() ? layer.gate(y) : joined[0];
    const mx::array up = joined.empty() ? layer.up(y) : joined[1];
    x = mx::add(x, layer.down(gated_(gate, up)));
  }
  x = mx::fast::rms_norm(x, norm_, eps);
  return head_ ? (*head_)(x) : embedding_(x);
}

}  // namespace evoke::model
