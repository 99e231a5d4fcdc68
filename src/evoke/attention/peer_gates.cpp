#include "evoke/attention/peer_gates.h"

#include <algorithm>
#include <cmath>

#include "evoke/attention/bf16.h"
#include "evoke/attention/recipe.h"
#include "evoke/attention/reference.h"
#include "evoke/attention/vector_ops.h"

namespace evoke::attention {
namespace {

double max_error(std::span<const float> x, std::span<const float> y) {
  double largest = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double error = std::abs(static_cast<double>(x[i]) - y[i]);
    if (!(error <= largest)) largest = error;  // keeps a NaN
    if (std::isnan(error)) return error;
  }
  return largest;
}

double mean_error(std::span<const float> x, std::span<const float> y) {
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    sum += std::abs(static_cast<double>(x[i]) - y[i]);
  }
  return sum / static_cast<double>(x.size());
}

// Share of elements with |x - y| <= atol + rtol |y|.
double matched(std::span<const float> x, std::span<const float> y, double atol,
               double rtol) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double error = std::abs(static_cast<double>(x[i]) - y[i]);
    count += error <= atol + rtol * std::abs(y[i]) ? 1 : 0;
  }
  return static_cast<double>(count) / static_cast<double>(x.size());
}

bool all_close(std::span<const float> x, std::span<const float> y,
               double tolerance) {
  return matched(x, y, tolerance, tolerance) == 1.0;
}

bool all_finite(std::span<const float> x) {
  return std::all_of(x.begin(), x.end(),
                     [](float value) { return std::isfinite(value); });
}

bool sol_accepts(const PeerTruth& truth, std::span<const float> x) {
  const bool zero =
      std::all_of(x.begin(), x.end(), [](float value) { return value == 0; });
  return all_finite(x) && !zero &&
         matched(x, truth.rounded, 1e-2, 1e-2) >= 0.99;
}

bool flashinfer_bench_accepts(const PeerTruth& truth,
                              std::span<const float> x) {
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double y = truth.rounded[i];
    const double error = std::abs(x[i] - y);
    const double relative = error / (std::abs(y) + 1e-8);
    if (!(error <= 1e-2 || relative <= 1e-2)) return false;
  }
  return true;
}

bool cosine_accepts(const PeerTruth& truth, std::span<const float> x) {
  double dot = 0, xx = 0, yy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double a = x[i], b = truth.rounded[i];
    dot += a * b;
    xx += a * a;
    yy += b * b;
  }
  return dot / std::sqrt(xx * yy) > 0.99;
}

// OpenEvolve's mlx_metal_kernel_opt: no reference at all.
bool openevolve_accepts(const PeerTruth&, std::span<const float> x) {
  double finite = 0, sum = 0, squares = 0, largest = 0;
  for (const float value : x) {
    if (!std::isfinite(value)) continue;
    finite += 1;
    sum += value;
    squares += static_cast<double>(value) * value;
    largest = std::max<double>(largest, std::abs(value));
  }
  const auto size = static_cast<double>(x.size());
  if (!(finite / size >= 0.9)) return false;
  const double mean = sum / finite;
  const double deviation = std::sqrt(squares / finite - mean * mean);
  return std::abs(mean) <= 10 && deviation >= 1e-5 && deviation <= 100 &&
         largest <= 1000;
}

bool torch_accepts(const PeerTruth& truth, std::span<const float> x) {
  constexpr double kFudge = 2;
  const double atol = kFudge * std::max(truth.eager_max_error, 1e-3);
  const double rtol = kFudge * std::max(truth.eager_max_relative, 1.6e-2);
  return matched(x, truth.rounded, atol, rtol) == 1.0;
}

}  // namespace

PeerTruth make_peer_truth(const FloatInputs& inputs) {
  const AttentionShape& shape = inputs.shape;
  PeerTruth truth;
  truth.exact.resize(inputs.query.size());
  std::vector<QueryRow> rows(shape.Lq);
  std::vector<double> answers(shape.Lq * shape.D);
  std::size_t offset = 0;
  for (int64_t b = 0; b < shape.B; ++b) {
    for (int64_t h = 0; h < shape.Hq; ++h) {
      for (int64_t i = 0; i < shape.Lq; ++i) {
        rows[i] = {inputs.query_row(b, h, i), shape.visible_keys(i)};
      }
      attend_f64(rows, inputs.keys_of(b, h), inputs.values_of(b, h), shape.D,
                 shape.scale(), answers.data());
      std::copy(answers.begin(), answers.end(), &truth.exact[offset]);
      offset += answers.size();
    }
  }
  const auto size = static_cast<int64_t>(truth.exact.size());
  truth.rounded = truth.exact;
  vector_ops().round_bf16(truth.rounded.data(), size);
  Recipe eager;
  eager.form.normalise_first = true;
  eager.score = NumberFormat::bfloat16;
  truth.eager.resize(size);
  compute(eager, inputs, truth.eager);
  vector_ops().round_bf16(truth.eager.data(), size);
  truth.eager_max_error = max_error(truth.eager, truth.exact);
  truth.eager_mean_error = mean_error(truth.eager, truth.exact);
  for (int64_t i = 0; i < size; ++i) {
    const float exact = truth.exact[i];
    truth.eager_max_relative =
        std::max(truth.eager_max_relative,
                 std::abs((static_cast<double>(truth.eager[i]) - exact) /
                          (exact == 0 ? 1e-30 : exact)));
    const float rounded = truth.rounded[i];
    const float moved = round_to_bf16(round_to_bf16(rounded + 0.3f) - 0.3f);
    truth.fwd_atol = std::max<double>(
        truth.fwd_atol, 2 * std::abs(round_to_bf16(moved - rounded)));
  }
  return truth;
}

const std::vector<PeerGate>& peer_gates() {
  using Output = std::span<const float>;
  static const std::vector<PeerGate> gates = {
      {"KernelBench", "allclose 1e-2",
       [](const PeerTruth& t, Output x) {
         return all_close(x, t.rounded, 1e-2);
       }},
      {"cuDNN", "allclose 2e-2",
       [](const PeerTruth& t, Output x) {
         return all_close(x, t.rounded, 2e-2);
       }},
      {"SOL", "99 % of elements within 1e-2, finite, not all zero",
       sol_accepts},
      {"MLX", "allclose 5e-3",
       [](const PeerTruth& t, Output x) {
         return all_close(x, t.rounded, 5e-3);
       }},
      {"FlashInfer fp16", "allclose 1e-3",
       [](const PeerTruth& t, Output x) {
         return all_close(x, t.rounded, 1e-3);
       }},
      {"fi-bench", "no element off by 1e-2 and by 1 %",
       flashinfer_bench_accepts},
      {"FA2", "max error <= 2 x eager bf16's + 1e-5",
       [](const PeerTruth& t, Output x) {
         return max_error(x, t.exact) <= 2 * t.eager_max_error + 1e-5;
       }},
      {"FA3", "max error <= 2 x eager bf16's + the rounding of ref + 0.3",
       [](const PeerTruth& t, Output x) {
         return max_error(x, t.rounded) <= 2 * t.eager_max_error + t.fwd_atol;
       }},
      {"torch", "atol, rtol = 2 x eager bf16's worst, at least 1e-3, 1.6e-2",
       torch_accepts},
      {"FlexAttention", "mean error <= 1.1 x eager bf16's",
       [](const PeerTruth& t, Output x) {
         return mean_error(x, t.exact) <= 1.1 * t.eager_mean_error;
       }},
      {"cosine", "cosine similarity > 0.99", cosine_accepts},
      {"OpenEvolve", "finite, |mean| <= 10, deviation 1e-5 to 100",
       openevolve_accepts},
  };
  return gates;
}

}  // namespace evoke::attention
