// From logits to the next token.
#pragma once

#include <mlx/array.h>
#include <mlx/random.h>

#include <cstdint>
#include <optional>
#include <span>

namespace evoke::model {

// Names, meaning and order as in mlx-lm's make_sampler and
// make_logits_processors: the same seed draws the same tokens from the same
// logits. First the penalty; then top_p, min_p and top_k each narrow the
// choice by the probabilities at temperature 1; then one token is drawn at
// `temperature`.
struct SamplingOptions {
  double temperature = 0;  // 0: the most likely token; the rest is not used
  double top_p = 1;        // the fewest tokens that have this much together
  int top_k = 0;           // 0: all
  double min_p = 0;        // as a share of the most likely one's
  // Logits of recent tokens (of the prompt, too) are divided by it where
  // positive, multiplied where negative.
  double repetition_penalty = 1;
  int repetition_context = 20;
  uint64_t seed = 0;
};

// One text, or a batch of texts in step. Nothing is evaluated here.
class Sampler {
 public:
  // Throws UsageError for values out of range.
  explicit Sampler(const SamplingOptions& options);

  // Tokens that came before, (B, L); only a repetition penalty uses them.
  void see(const mlx::core::array& tokens);
  // logits (B, vocabulary); gives (B), which it has seen then.
  mlx::core::array next(const mlx::core::array& logits);

 private:
  mlx::core::array penalized(const mlx::core::array& logits) const;
  mlx::core::array narrowed(mlx::core::array log_probabilities) const;

  SamplingOptions options_;
  mlx::core::random::KeySequence keys_;
  std::optional<mlx::core::array> recent_;  // (B, up to repetition_context)
};

}  // namespace evoke::model
