#include "evoke/model/model_config.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "evoke/base/fd.h"
#include "evoke/base/json.h"
#include "evoke/base/utf8.h"
#include "evoke/model/tokenizer/json_part.h"

namespace evoke::model {
namespace {

namespace fs = std::filesystem;

constexpr const char* kOnlyDense =
    "; evoke runs dense Qwen3 (Qwen3ForCausalLM)";

const Json& require(const Json& config, const char* key) {
  const Json* value = find_key(config, key);
  if (value == nullptr) refuse(std::string("does not say ") + key);
  return *value;
}

// Far above any model's; products of two sizes still fit an int.
constexpr int kMaxHeadDim = 1 << 10;
constexpr int kMaxSize = 1 << 20;
constexpr int kMaxVocabulary = 1 << 24;

int size(const Json& config, const char* key, int limit = kMaxSize) {
  const Json& value = require(config, key);
  if (!value.is_number_integer() || value < 1 || value > limit) {
    refuse(std::string(key) + " is " + brief(value) +
           ", not a whole number from 1 to " + std::to_string(limit));
  }
  return value.get<int>();
}

float positive_real(const Json& value, const char* key) {
  if (!value.is_number() || !(value.get<float>() > 0) ||
      !std::isfinite(value.get<float>())) {
    refuse(std::string(key) + " is " + brief(value) + ", not a number above 0");
  }
  return value.get<float>();
}

void check_architecture(const Json& config) {
  const Json* type = find_key(config, "model_type");
  if (type == nullptr) refuse("does not say model_type: no model's config");
  if (*type != "qwen3") refuse("model_type is " + brief(*type) + kOnlyDense);
  const Json* names = find_key(config, "architectures");
  if (names != nullptr && *names != Json::array({"Qwen3ForCausalLM"})) {
    refuse("architectures is " + brief(*names) + kOnlyDense);
  }
  if (const Json* act = find_key(config, "hidden_act");
      act != nullptr && *act != "silu") {
    refuse("hidden_act is " + brief(*act) + "; Qwen3 has \"silu\"");
  }
  if (flag(config, "attention_bias", "config", false)) {
    refuse("attention_bias is true; Qwen3 has none");
  }
  if (flag(config, "use_sliding_window", "config", false)) {
    refuse("use_sliding_window is true, which is not supported");
  }
  if (const Json* types = find_key(config, "layer_types"); types != nullptr) {
    const bool full =
        types->is_array() &&
        std::all_of(types->begin(), types->end(),
                    [](const Json& each) { return each == "full_attention"; });
    if (!full) refuse("layer_types has other than \"full_attention\"");
  }
}

// transformers 5 moved rope_theta into rope_parameters.
float read_rope_theta(const Json& config) {
  const Json* nested = find_key(config, "rope_parameters");
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    const Json* scaling = find_key(config, key);
    if (scaling == nullptr) continue;
    const Json* type = find_key(*scaling, "rope_type");
    if (type == nullptr) type = find_key(*scaling, "type");
    if (type != nullptr ? *type != "default" : scaling != nested) {
      refuse(std::string(key) + " is of type " +
             (type == nullptr ? "null" : brief(*type)) +
             "; only plain rotary embeddings are supported (remove it to use "
             "the trained context alone)");
    }
  }
  const Json* theta = find_key(config, "rope_theta");
  if (theta == nullptr && nested != nullptr) {
    theta = find_key(*nested, "rope_theta");
  }
  if (theta == nullptr) refuse("does not say rope_theta");
  return positive_real(*theta, "rope_theta");
}

Quantization parse_quantization(const Json& part, const std::string& owner) {
  if (const Json* mode = find_key(part, "mode");
      mode != nullptr && *mode != "affine") {
    refuse(owner + " has mode " + brief(*mode) + "; supported is \"affine\"");
  }
  Quantization result;
  result.group_size = size(part, "group_size");
  result.bits = size(part, "bits");
  const int bits = result.bits;
  const int group = result.group_size;
  if (bits > 8 || bits < 2 || bits == 7 ||
      (group != 32 && group != 64 && group != 128)) {
    refuse(owner + " has " + std::to_string(bits) + " bits in groups of " +
           std::to_string(group) +
           "; supported are 2, 3, 4, 5, 6 or 8 in groups of 32, 64 or 128");
  }
  return result;
}

void read_quantization(const Json& json, Qwen3Config& config) {
  const Json* part = find_key(json, "quantization");
  if (part == nullptr) {
    const Json* other = find_key(json, "quantization_config");
    if (other == nullptr) return;
    const Json* method = find_key(*other, "quant_method");
    refuse("the weights are quantized by " +
           (method == nullptr ? "an unknown method" : brief(*method)) +
           "; supported are MLX's (mlx_lm.convert -q)");
  }
  config.quantization = parse_quantization(*part, "quantization");
  for (const auto& [name, value] : part->items()) {
    if (value.is_object()) {
      config.quantization_exceptions[name] = parse_quantization(value, name);
    } else if (value == false) {
      config.quantization_exceptions[name] = std::nullopt;
    }
  }
}

std::vector<int32_t> parse_eos_ids(const Json& json) {
  const Json* ids = find_key(json, "eos_token_id");
  if (ids == nullptr) return {};
  std::vector<int32_t> result;
  const auto add = [&](const Json& id) {
    if (!id.is_number_integer() || id.get<int64_t>() < 0 ||
        id.get<int64_t>() > std::numeric_limits<int32_t>::max()) {
      refuse("eos_token_id is " + brief(*ids) + ", not a token or a list");
    }
    result.push_back(id.get<int32_t>());
  };
  if (ids->is_array()) {
    for (const Json& id : *ids) add(id);
  } else {
    add(*ids);
  }
  return result;
}

Qwen3Config parse_config(const Json& json) {
  check_architecture(json);
  Qwen3Config config;
  config.hidden_size = size(json, "hidden_size");
  config.num_layers = size(json, "num_hidden_layers");
  config.intermediate_size = size(json, "intermediate_size");
  config.num_q_heads = size(json, "num_attention_heads");
  config.num_kv_heads = size(json, "num_key_value_heads");
  config.head_dim = size(json, "head_dim", kMaxHeadDim);
  config.vocab_size = size(json, "vocab_size", kMaxVocabulary);
  config.rms_norm_eps =
      positive_real(require(json, "rms_norm_eps"), "rms_norm_eps");
  config.rope_theta = read_rope_theta(json);
  config.tie_word_embeddings =
      flag(json, "tie_word_embeddings", "config", false);
  if (config.num_q_heads % config.num_kv_heads != 0) {
    refuse("num_attention_heads (" + std::to_string(config.num_q_heads) +
           ") is no multiple of num_key_value_heads (" +
           std::to_string(config.num_kv_heads) + ")");
  }
  if (config.head_dim % 2 != 0) {
    refuse("head_dim is " + std::to_string(config.head_dim) +
           "; rotary embeddings need an even one");
  }
  read_quantization(json, config);
  config.eos_ids = parse_eos_ids(json);
  return config;
}

// What `read` makes of the JSON object in the file.
template <typename Read>
auto read_json(const fs::path& path, Read read)
    -> Result<decltype(read(Json()))> {
  const auto text = read_file(path.string());
  if (!text) return error_of(text);
  const std::string name = one_line(path.string(), 500);
  const Json json = Json::parse(*text, nullptr, false);
  if (!json.is_object()) {
    return failed(name + ": damaged or cut short: not a JSON object");
  }
  try {
    return read(json);
  } catch (const FileError& error) {
    return failed(name + ": " + error.what);
  }
}

}  // namespace

std::optional<Quantization> Qwen3Config::quantization_of(
    std::string_view name) const {
  const auto exception = quantization_exceptions.find(name);
  return exception == quantization_exceptions.end() ? quantization
                                                    : exception->second;
}

Result<Qwen3Config> read_model_config(const fs::path& model_folder) {
  std::error_code ignored;
  if (!fs::is_directory(model_folder, ignored)) {
    return absent(one_line(model_folder.string(), 500) + ": no such folder");
  }
  auto config = read_json(model_folder / "config.json", parse_config);
  if (!config) {
    if (config.error().kind != ErrorKind::absent) return config;
    return absent(one_line(model_folder.string(), 500) +
                  ": no config.json in it: not a model folder, or one that "
                  "was not copied whole");
  }
  auto eos_ids =
      read_json(model_folder / "generation_config.json", parse_eos_ids);
  if (eos_ids && !eos_ids->empty()) config->eos_ids = *std::move(eos_ids);
  if (!eos_ids && eos_ids.error().kind != ErrorKind::absent) {
    return error_of(eos_ids);
  }
  return config;
}

}  // namespace evoke::model
