// What `evoke generate` does, without its command line.
#pragma once

#include <mlx/dtype.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "evoke/base/json.h"
#include "evoke/model/attention_op.h"
#include "evoke/model/generate.h"
#include "evoke/model/tokenizer/tokenizer.h"

namespace evoke::model {

struct GenerateRequest {
  std::string model;          // a folder, or a name on the hub
  std::string prompt;         // UTF-8
  std::string system_prompt;  // "": none
  // The prompt as tokens, as they are; then the texts above must be empty.
  std::vector<int32_t> prompt_ids;
  bool ignore_chat_template = false;
  bool enable_thinking = true;
  std::optional<mlx::core::Dtype> dtype;  // empty: as stored
  GenerateOptions options;
  // Not 0: the prompt and so many tokens are run once before, uncounted.
  int warmup_tokens = 0;
  std::function<void()> loaded;  // called before the first step
};

struct GenerateReport {
  std::string model_folder;
  std::string dtype;   // of activations
  std::string device;  // "cpu" or "gpu", as MLX calls it
  std::string blas;    // the file that serves MLX's float32 products on a CPU
  Generation generation;
  std::string text;
  std::vector<std::string> warnings;
  int num_layers = 0;
  int64_t kv_bytes_per_token = 0;  // of all layers
  // The AttentionOp's calls, the warm-up's too.
  int64_t prompt_attention_calls = 0;
  int64_t decode_attention_calls = 0;
  double load_ms = 0;  // weights and tokenizer in memory
  int64_t weight_bytes = 0;
  int64_t kv_cache_bytes = 0;
  int64_t peak_memory_bytes = 0;    // of arrays, as MLX counts them
  int64_t peak_resident_bytes = 0;  // of the process, as the system counts
};

// Called with what each token adds to the text; false ends the text.
using TextSink = std::function<bool(std::string_view)>;

// The request's prompt as tokens. Throws StartupError.
std::vector<int32_t> encode_prompt(const GenerateRequest& request,
                                   const Tokenizer& tokenizer,
                                   std::vector<std::string>& warnings);

// Throws UsageError or StartupError with one line.
GenerateReport run_generate(const GenerateRequest& request,
                            AttentionOp attention, const TextSink& sink);

Json to_json(const GenerateReport& report);
// The three lines that mlx_lm.generate ends with.
std::string summary(const GenerateReport& report);

// "float32", "float16", "bfloat16" or "" (as stored); else UsageError.
std::optional<mlx::core::Dtype> parse_dtype(const std::string& name);

}  // namespace evoke::model
