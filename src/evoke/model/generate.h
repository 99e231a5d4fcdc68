// The generation loop.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "evoke/model/kv_cache.h"
#include "evoke/model/qwen3.h"
#include "evoke/model/sampling.h"

namespace evoke::model {

struct GenerateOptions {
  SamplingOptions sampling = {};
  int max_tokens = 100;  // at least 1
  // Tokens of the prompt per step; more need more memory. 0: 2048 on a GPU;
  // 512 on a CPU, where attention keeps all scores of a step.
  int prefill_step = 0;
  std::vector<int32_t> eos_ids = {};  // tokens that end the text
  // Goes on to max_tokens, for times that can be compared.
  bool ignore_eos = false;

  // prefill_step, or what 0 means here.
  int tokens_per_step() const;
};

enum class FinishReason { length, stop, canceled };

struct Generation {
  // The end token, if there was one, is not among them.
  std::vector<int32_t> tokens;
  FinishReason finish_reason = FinishReason::length;
  int prompt_tokens = 0;
  // The model's steps, and how often they called the AttentionOp. All of
  // them have run.
  int64_t steps = 0;
  int64_t attention_calls = 0;
  // Of them, those with one query: of steps with one token, and of the last
  // layer in a step that asks for the last row only.
  int64_t decode_attention_calls = 0;
  double prompt_ms = 0;       // until the first token was there
  double generation_ms = 0;   // from there to the last one
  int64_t decode_tokens = 0;  // tokens that took generation_ms

  double prompt_tokens_per_s() const;
  // 0 where no token followed the first.
  double generation_tokens_per_s() const;
};

// Called with each token as it comes; false ends the text.
using TokenSink = std::function<bool(int32_t)>;

// Continues `prompt` (not empty; ids below the vocabulary's size, else
// UsageError). `kv_cache` may hold what came before the prompt. While a token
// is worked on, the graph of the next one is made. Throws what MLX throws.
Generation generate(const Qwen3& model, KvCache& kv_cache,
                    std::span<const int32_t> prompt,
                    const GenerateOptions& options, const TokenSink& sink);

}  // namespace evoke::model
