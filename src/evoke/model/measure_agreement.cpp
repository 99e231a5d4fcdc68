#include "evoke/model/measure_agreement.h"

#include <mlx/ops.h>
#include <mlx/transforms.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <memory>
#include <utility>

#include "evoke/base/error.h"
#include "evoke/base/utf8.h"
#include "evoke/model/model_folder.h"
#include "evoke/model/qwen3.h"

namespace evoke::model {
namespace {

namespace mx = mlx::core;

template <typename T>
T value_or_throw(Result<T> result) {
  if (!result) throw StartupError(result.error().message);
  return std::move(*result);
}

// One model with either op, and a cache for each.
class TwoModels {
 public:
  TwoModels(const GenerateRequest& request, const AttentionOp& kernel)
      : with_kernel_(std::make_shared<bool>(false)),
        model_(value_or_throw(Qwen3::load(
            value_or_throw(find_model_folder(request.model)), request.dtype,
            [chosen = with_kernel_, kernel, standard = fast_attention()](
                const mx::array& query, const mx::array& key,
                const mx::array& value, float scale, bool causal) {
              const AttentionOp& op = *chosen ? kernel : standard;
              return op(query, key, value, scale, causal);
            }))),
        caches_{model_.make_kv_cache(), model_.make_kv_cache()} {}

  // Float32 logits (vocabulary) after these tokens.
  mx::array logits(const std::vector<int32_t>& tokens, bool with_kernel,
                   int prefill_step) {
    *with_kernel_ = with_kernel;
    KvCache& cache = caches_[with_kernel ? 1 : 0];
    std::size_t done = 0;
    for (;;) {
      const std::size_t count = std::min(
          tokens.size() - done, static_cast<std::size_t>(prefill_step));
      const mx::array part(tokens.data() + done, {1, static_cast<int>(count)},
                           mx::int32);
      done += count;
      if (done == tokens.size()) {
        const mx::array last = *model_.step(part, cache, Rows::last);
        return mx::astype(mx::reshape(last, {-1}), mx::float32);
      }
      model_.step(part, cache, Rows::none);
      mx::eval(cache.buffers());
    }
  }

 private:
  std::shared_ptr<bool> with_kernel_;
  Qwen3 model_;
  KvCache caches_[2];
};

int32_t likeliest(const mx::array& logits) {
  return static_cast<int32_t>(mx::argmax(logits).item<uint32_t>());
}

void compare(const mx::array& standard, const mx::array& kernel,
             Agreement& agreement) {
  const mx::array p = standard - mx::logsumexp(standard);
  const mx::array q = kernel - mx::logsumexp(kernel);
  // Rounding can take a divergence of nothing below zero; NaN stays.
  const double kl =
      mx::maximum(mx::sum(mx::exp(p) * (p - q)), mx::array(0.0f)).item<float>();
  const double difference = mx::max(mx::abs(standard - kernel)).item<float>();
  ++agreement.positions;
  agreement.same_token += likeliest(standard) == likeliest(kernel) ? 1 : 0;
  agreement.mean_kl += kl;
  const auto keep_worst = [](double& worst, double value) {
    if (!(value <= worst)) worst = value;
  };
  keep_worst(agreement.max_kl, kl);
  keep_worst(agreement.max_logit_difference, difference);
}

}  // namespace

Agreement measure_agreement(const GenerateRequest& request,
                            const AttentionOp& kernel) {
  const auto folder = value_or_throw(find_model_folder(request.model));
  const Tokenizer tokenizer = value_or_throw(Tokenizer::load(folder));
  std::vector<std::string> warnings;
  std::vector<int32_t> tokens = encode_prompt(request, tokenizer, warnings);
  TwoModels models(request, kernel);
  if (request.loaded) request.loaded();
  Agreement agreement;
  try {
    const int step = request.options.tokens_per_step();
    for (int i = 0; i < request.options.max_tokens; ++i) {
      const mx::array standard = models.logits(tokens, false, step);
      compare(standard, models.logits(tokens, true, step), agreement);
      tokens = {likeliest(standard)};
    }
  } catch (const std::exception& error) {
    throw StartupError("MLX: " + one_line(error.what()));
  }
  agreement.mean_kl /= static_cast<double>(agreement.positions);
  return agreement;
}

Json to_json(const Agreement& agreement) {
  return {{"positions", agreement.positions},
          {"same_token", agreement.same_token},
          {"mean_kl", agreement.mean_kl},
          {"max_kl", agreement.max_kl},
          {"max_logit_difference", agreement.max_logit_difference}};
}

}  // namespace evoke::model
