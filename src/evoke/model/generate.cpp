#include "evoke/model/generate.h"

#include <mlx/device.h>
#include <mlx/memory.h>
#include <mlx/ops.h>
#include <mlx/transforms.h>

#include <algorithm>
#include <optional>
#include <string>

#include "evoke/base/clock.h"
#include "evoke/base/error.h"

namespace evoke::model {
namespace {

namespace mx = mlx::core;

// Buffers that MLX keeps for reuse are given back this often: their sizes
// change as the text grows.
constexpr int kTokensPerClear = 256;

double per_second(int64_t tokens, double ms) {
  return tokens == 0 || !(ms > 0) ? 0 : static_cast<double>(tokens) * 1e3 / ms;
}

void check(const Qwen3& model, std::span<const int32_t> prompt,
           const GenerateOptions& options) {
  if (prompt.empty()) throw UsageError("[generate] the prompt is empty.");
  if (options.max_tokens < 1 || options.prefill_step < 0) {
    throw UsageError("[generate] max_tokens begins at 1.");
  }
  for (const int32_t id : prompt) {
    if (id >= 0 && id < model.config().vocab_size) continue;
    throw UsageError("[generate] token " + std::to_string(id) +
                     " is none of the model's " +
                     std::to_string(model.config().vocab_size) +
                     ". The tokenizer is of another model.");
  }
}

// Steps of one text, counted.
class Text {
 public:
  Text(const Qwen3& model, KvCache& kv_cache, const SamplingOptions& sampling,
       Generation& result)
      : model_(model),
        kv_cache_(kv_cache),
        sampler_(sampling),
        result_(result) {}

  // Brings tokens (1, L) into the cache, and waits.
  void read(const mx::array& tokens) {
    step(tokens, Rows::none);
    sampler_.see(tokens);
    mx::eval(kv_cache_.buffers());
    mx::clear_cache();
  }
  // The token after (1, L) others, which begins to be computed.
  mx::array begin_next(const mx::array& tokens) {
    const mx::array logits = *step(tokens, Rows::last);
    mx::array token = sampler_.next(mx::squeeze(logits, 1));
    mx::async_eval(token);
    return token;
  }
  void see(const mx::array& tokens) { sampler_.see(tokens); }

 private:
  std::optional<mx::array> step(const mx::array& tokens, Rows rows) {
    ++result_.steps;
    const int calls = model_.attention_calls(rows);
    result_.attention_calls += calls;
    if (tokens.shape(1) == 1) {
      result_.decode_attention_calls += calls;
    } else if (rows == Rows::last) {
      ++result_.decode_attention_calls;
    }
    return model_.step(tokens, kv_cache_, rows);
  }

  const Qwen3& model_;
  KvCache& kv_cache_;
  Sampler sampler_;
  Generation& result_;
};

mx::array read_prompt(Text& text, std::span<const int32_t> prompt, int step) {
  const auto as_array = [](std::span<const int32_t> ids) {
    return mx::array(ids.data(), {1, static_cast<int>(ids.size())}, mx::int32);
  };
  while (prompt.size() > static_cast<std::size_t>(step)) {
    text.read(as_array(prompt.first(step)));
    prompt = prompt.subspan(step);
  }
  text.see(as_array(prompt));
  return text.begin_next(as_array(prompt));
}

}  // namespace

int GenerateOptions::tokens_per_step() const {
  if (prefill_step > 0) return prefill_step;
  return mx::default_device() == mx::Device::gpu ? 2048 : 512;
}

double Generation::prompt_tokens_per_s() const {
  return per_second(prompt_tokens, prompt_ms);
}

double Generation::generation_tokens_per_s() const {
  return per_second(decode_tokens, generation_ms);
}

Generation generate(const Qwen3& model, KvCache& kv_cache,
                    std::span<const int32_t> prompt,
                    const GenerateOptions& options, const TokenSink& sink) {
  check(model, prompt, options);
  Generation result;
  result.prompt_tokens = static_cast<int>(prompt.size());
  Text text(model, kv_cache, options.sampling, result);
  const std::vector<int32_t>& ends = options.eos_ids;
  const double start_ms = monotonic_ms();
  double first_ms = start_ms;
  mx::array token = read_prompt(text, prompt, options.tokens_per_step());
  std::optional<mx::array> following;
  for (int n = 0; n < options.max_tokens; ++n) {
    following.reset();
    if (n + 1 < options.max_tokens) {
      following = text.begin_next(mx::expand_dims(token, 0));
    }
    const auto id = static_cast<int32_t>(token.item<uint32_t>());
    const double now_ms = monotonic_ms();
    if (n == 0) first_ms = now_ms;
    result.generation_ms = now_ms - first_ms;
    result.decode_tokens = n;
    if (!options.ignore_eos &&
        std::find(ends.begin(), ends.end(), id) != ends.end()) {
      result.finish_reason = FinishReason::stop;
      break;
    }
    result.tokens.push_back(id);
    if (!sink(id)) {
      result.finish_reason = FinishReason::canceled;
      break;
    }
    if (n % kTokensPerClear == 0) mx::clear_cache();
    if (following) token = *following;
  }
  // What was begun ahead is let finish, so that every call counted has run.
  if (following) following->wait();
  result.prompt_ms = first_ms - start_ms;
  return result;
}

}  // namespace evoke::model
