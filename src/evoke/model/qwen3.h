// Dense Qwen3 on MLX.
#pragma once

#include <mlx/array.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/model/attention_op.h"
#include "evoke/model/kv_cache.h"
#include "evoke/model/linear.h"
#include "evoke/model/model_config.h"

namespace evoke::model {

// Which rows of a step are wanted as logits.
enum class Rows { none, last, all };

// Steps build graphs, which the caller evaluates; widened products
// (cpu_products.h) are evaluated on the way. One thread at a time.
class Qwen3 {
 public:
  // Reads the folder and brings all weights into memory, cast to `dtype`
  // when one is given (packed weights stay packed). Fails with one line.
  static Result<Qwen3> load(const std::filesystem::path& model_folder,
                            std::optional<mlx::core::Dtype> dtype,
                            AttentionOp attention);

  // tokens (B, L), integers; rows of a batch are texts of one length that do
  // not see each other. Appends to the cache, whose length is the position of
  // the first token. Gives logits (B, 1 or L, vocabulary); nothing for
  // Rows::none, whose work is in the cache's buffers.
  std::optional<mlx::core::array> step(const mlx::core::array& tokens,
                                       KvCache& kv_cache, Rows rows) const;

  // Products of the same input become one when a step has one token: fewer
  // launches. load() does it where MLX's default device is a GPU. Results
  // differ by the order of summation at most.
  void join_products();

  KvCache make_kv_cache() const { return KvCache(config_.num_layers); }
  // How often a step calls the AttentionOp. With Rows::none the last layer
  // only stores keys and values.
  int attention_calls(Rows rows) const {
    return config_.num_layers - (rows == Rows::none ? 1 : 0);
  }
  const Qwen3Config& config() const { return config_; }
  mlx::core::Dtype dtype() const { return embedding_.dtype(); }
  std::size_t weight_bytes() const;

 private:
  struct Layer {
    mlx::core::array input_norm;
    Linear query;
    Linear key;
    Linear value;
    Linear output;
    mlx::core::array query_norm;
    mlx::core::array key_norm;
    mlx::core::array post_attention_norm;
    Linear gate;
    Linear up;
    Linear down;
    // Joined, where they are: query, key, value; gate, up.
    std::optional<Linear> query_key_value = std::nullopt;
    std::optional<Linear> gate_up = std::nullopt;
  };

  Qwen3(Qwen3Config config, Weights& weights, AttentionOp attention);
  static Layer make_layer(const Qwen3Config& config, Weights& weights,
                          int index);
  std::vector<mlx::core::array> weights_of(const Layer& layer) const;
  std::vector<mlx::core::array> other_weights() const;
  void load_weights(bool one_by_one) const;
  std::optional<mlx::core::array> attend(int index, const mlx::core::array& x,
                                         const mlx::core::array& position,
                                         KvCache& kv_cache, Rows rows) const;

  Qwen3Config config_;
  AttentionOp attention_;
  Linear embedding_;
  std::vector<Layer> layers_;
  mlx::core::array norm_;
  // silu(gate) * up; one kernel on a GPU.
  std::function<mlx::core::array(const mlx::core::array& gate,
                                 const mlx::core::array& up)>
      gated_;
  std::optional<Linear> head_;  // empty: the embedding's
};

}  // namespace evoke::model
