#include "evoke/model/linear.h"

#include <mlx/ops.h>

#include "evoke/model/cpu_products.h"
#include "evoke/model/row_product.h"
#include "evoke/model/tokenizer/json_part.h"

namespace evoke::model {
namespace {

namespace mx = mlx::core;

Quantization require_quantization(const Qwen3Config& config,
                                  const std::string& name, int inputs) {
  const auto found = config.quantization_of(name);
  if (!found) {
    refuse("has quantized weights " + in_quotes(name) +
           ", of which config.json does not say how");
  }
  if (inputs % found->group_size != 0) {
    refuse(in_quotes(name) + " has rows of " + std::to_string(inputs) +
           ", no multiple of groups of " + std::to_string(found->group_size));
  }
  return *found;
}

}  // namespace

Linear::Linear(Weights& weights, const std::string& name, int outputs,
               int inputs, const Qwen3Config& config)
    : weight_(0) {
  if (!weights.has(name + ".scales")) {
    weight_ = weights.take(name + ".weight", {outputs, inputs});
    return;
  }
  const Quantization how = require_quantization(config, name, inputs);
  const int groups = inputs / how.group_size;
  weight_ = weights.take(name + ".weight", {outputs, inputs / 32 * how.bits});
  packed_ = Packed{weights.take(name + ".scales", {outputs, groups}),
                   weights.take(name + ".biases", {outputs, groups}), how};
  if (weight_.dtype() != mx::uint32) {
    refuse(in_quotes(name) + " has scales, but is not quantized");
  }
}

std::optional<Linear> Linear::join(const std::vector<Linear*>& parts) {
  std::vector<mx::array> weights;
  for (const Linear* part : parts) {
    if (part->packed_ || part->weight_.dtype() != parts[0]->weight_.dtype()) {
      return std::nullopt;
    }
    weights.push_back(part->weight_);
  }
  mx::array joined = mx::concatenate(weights, 0);
  weights.clear();
  joined.eval();
  int first = 0;
  for (Linear* part : parts) {
    const int outputs = part->weight_.shape(0);
    part->weight_ =
        mx::slice(joined, {first, 0}, {first + outputs, joined.shape(1)});
    part->weight_.eval();
    first += outputs;
  }
  return Linear(std::move(joined));
}

mx::array Linear::operator()(const mx::array& x) const {
  const bool one_row = x.size() == static_cast<std::size_t>(x.shape(-1));
  if (one_row && !packed_ && weight_.dtype() == mx::float32 &&
      x.dtype() == mx::float32 && widens_products()) {
    return row_product(x, weight_);
  }
  if (is_wider_quicker(x)) {
    const mx::array product =
        mx::matmul(mx::astype(x, mx::float32), mx::transpose(as_float32()));
    return mx::astype(product, x.dtype());
  }
  if (!packed_) return mx::matmul(x, mx::transpose(weight_));
  return mx::quantized_matmul(x, weight_, packed_->scales, packed_->biases,
                              true, packed_->quantization.group_size,
                              packed_->quantization.bits);
}

bool Linear::is_wider_quicker(const mx::array& x) const {
  if (!packed_ && weight_.dtype() == mx::float32) return false;
  return x.size() > static_cast<std::size_t>(x.shape(-1)) && widens_products();
}

mx::array Linear::as_float32() const {
  if (!packed_) return mx::astype(weight_, mx::float32);
  return mx::astype(mx::dequantize(weight_, packed_->scales, packed_->biases,
                                   packed_->quantization.group_size,
                                   packed_->quantization.bits),
                    mx::float32);
}

mx::array Linear::rows(const mx::array& ids) const {
  const mx::array chosen = mx::take(weight_, ids, 0);
  if (!packed_) return chosen;
  return mx::dequantize(chosen, mx::take(packed_->scales, ids, 0),
                        mx::take(packed_->biases, ids, 0),
                        packed_->quantization.group_size,
                        packed_->quantization.bits);
}

mx::Dtype Linear::dtype() const {
  return packed_ ? packed_->scales.dtype() : weight_.dtype();
}

void Linear::append_to(std::vector<mx::array>& arrays) const {
  arrays.push_back(weight_);
  if (!packed_) return;
  arrays.push_back(packed_->scales);
  arrays.push_back(packed_->biases);
}

}  // namespace evoke::model
