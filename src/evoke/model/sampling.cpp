#include "evoke/model/sampling.h"

#include <mlx/ops.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "evoke/base/error.h"

namespace evoke::model {
namespace {

namespace mx = mlx::core;

void require(bool good, const char* what) {
  if (!good) throw UsageError(std::string("[Sampler] ") + what);
}

mx::array minus_infinity(mx::Dtype dtype) {
  return mx::array(-std::numeric_limits<float>::infinity(), dtype);
}

mx::array keep_where(const mx::array& keep, const mx::array& x) {
  return mx::where(keep, x, minus_infinity(x.dtype()));
}

// Keeps the shortest list of likeliest tokens that has top_p of the whole;
// tokens as likely as its last one stay with it.
mx::array keep_top_p(const mx::array& x, float top_p) {
  const mx::array sorted = mx::sort(x, -1);
  const mx::array mass = mx::exp(mx::astype(sorted, mx::float32));
  const mx::array above = mx::cumsum(mass, -1, true, false);
  const mx::array first = mx::array({0});
  const mx::array whole =
      mx::add(mx::take(above, first, -1), mx::take(mass, first, -1));
  const mx::array enough = mx::multiply(whole, mx::array(top_p));
  const mx::array dropped = mx::sum(
      mx::astype(mx::greater_equal(above, enough), mx::int32), -1, true);
  const mx::array least = mx::take_along_axis(sorted, dropped, -1);
  return keep_where(mx::greater_equal(x, least), x);
}

mx::array keep_min_p(const mx::array& x, double min_p) {
  const mx::array least =
      mx::add(mx::max(x, -1, true),
              mx::array(static_cast<float>(std::log(min_p)), x.dtype()));
  return keep_where(mx::greater_equal(x, least), x);
}

mx::array keep_top_k(const mx::array& x, int top_k) {
  const int size = x.shape(-1);
  if (top_k >= size) return x;
  const mx::array order = mx::argpartition(mx::negative(x), top_k - 1, -1);
  mx::Shape start(order.ndim(), 0);
  start.back() = top_k;
  return mx::put_along_axis(x, mx::slice(order, start, order.shape()),
                            minus_infinity(x.dtype()), -1);
}

}  // namespace

Sampler::Sampler(const SamplingOptions& options)
    : options_(options), keys_(options.seed) {
  require(options.temperature >= 0 && std::isfinite(options.temperature),
          "temperature must be 0 or more.");
  require(options.top_p > 0 && options.top_p <= 1,
          "top_p must be above 0 and at most 1.");
  require(options.top_k >= 0, "top_k must be 0 (all) or more.");
  require(options.min_p >= 0 && options.min_p <= 1,
          "min_p must be between 0 and 1.");
  require(options.repetition_penalty > 0 &&
              std::isfinite(options.repetition_penalty),
          "repetition_penalty must be above 0 (1: none).");
  require(options.repetition_context > 0,
          "repetition_context must be above 0.");
}

void Sampler::see(const mx::array& tokens) {
  if (options_.repetition_penalty == 1) return;
  recent_ = recent_ ? mx::concatenate({*recent_, tokens}, 1) : tokens;
  const int length = recent_->shape(1);
  const int first = std::max(0, length - options_.repetition_context);
  if (first == 0) return;
  recent_ = mx::slice(*recent_, {0, first}, {recent_->shape(0), length});
}

mx::array Sampler::penalized(const mx::array& logits) const {
  if (!recent_) return logits;
  const mx::array penalty(static_cast<float>(options_.repetition_penalty),
                          logits.dtype());
  const mx::array seen = mx::take_along_axis(logits, *recent_, -1);
  const mx::array less =
      mx::where(mx::less(seen, mx::array(0.0F, seen.dtype())),
                mx::multiply(seen, penalty), mx::divide(seen, penalty));
  return mx::put_along_axis(logits, *recent_, less, -1);
}

mx::array Sampler::narrowed(mx::array x) const {
  if (options_.top_p < 1) {
    x = keep_top_p(x, static_cast<float>(options_.top_p));
  }
  if (options_.min_p > 0) x = keep_min_p(x, options_.min_p);
  if (options_.top_k > 0) x = keep_top_k(x, options_.top_k);
  return x;
}

mx::array Sampler::next(const mx::array& logits) {
  const mx::array raw = penalized(logits);
  if (options_.temperature == 0) {
    const mx::array token = mx::argmax(raw, -1);
    see(mx::expand_dims(token, 1));
    return token;
  }
  const mx::array log_probabilities =
      mx::subtract(raw, mx::logsumexp(raw, -1, true));
  const mx::array inverse(static_cast<float>(1 / options_.temperature),
                          raw.dtype());
  const mx::array token = mx::random::categorical(
      mx::multiply(narrowed(log_probabilities), inverse), -1, keys_.next());
  see(mx::expand_dims(token, 1));
  return token;
}

}  // namespace evoke::model
