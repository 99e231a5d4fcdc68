// What config.json and generation_config.json of a model folder say.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "evoke/base/error.h"

namespace evoke::model {

// MLX's affine quantization: groups of `group_size` weights along a row share
// a scale and a bias.
struct Quantization {
  int group_size = 64;
  int bits = 4;
  bool operator==(const Quantization&) const = default;
};

// A dense Qwen3. Sizes in elements; names as in docs/concepts.md.
struct Qwen3Config {
  int hidden_size = 0;
  int num_layers = 0;
  int intermediate_size = 0;
  int num_q_heads = 0;
  int num_kv_heads = 0;
  int head_dim = 0;
  int vocab_size = 0;
  float rms_norm_eps = 0;
  float rope_theta = 0;
  bool tie_word_embeddings = false;
  std::optional<Quantization> quantization;
  // By the weight's name without ".weight"; empty: that one is not quantized.
  std::map<std::string, std::optional<Quantization>, std::less<>>
      quantization_exceptions;
  // Tokens that end a text: generation_config.json's, else config.json's.
  // Empty: neither names one.
  std::vector<int32_t> eos_ids;

  // Of the weight called `name`, if it turns out to be quantized.
  std::optional<Quantization> quantization_of(std::string_view name) const;
};

// One line names the file, what was found in it and what is supported.
// `absent`: there is no such folder, or no config.json in it.
Result<Qwen3Config> read_model_config(
    const std::filesystem::path& model_folder);

}  // namespace evoke::model
