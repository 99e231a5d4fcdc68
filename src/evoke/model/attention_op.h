// The one seam of the model: who computes attention.
#pragma once

#include <mlx/array.h>

#include <functional>

namespace evoke::model {

// query (B, Hq, Lq, D), key and value (B, Hkv, Lk, D), with Hq a multiple of
// Hkv and Lq <= Lk. Any strides with a contiguous last dimension: key and
// value are slices of a KvCache. Gives (B, Hq, Lq, D) in query's type.
//
// causal: query row i sees the keys 0 ... Lk - Lq + i (aligned at the bottom
// right). Called once per layer and step, while the graph is built; throws
// what MLX throws.
using AttentionOp = std::function<mlx::core::array(
    const mlx::core::array& query, const mlx::core::array& key,
    const mlx::core::array& value, float scale, bool causal)>;

// mx.fast.scaled_dot_product_attention, on the default stream; in float32,
// casts included, where that is quicker (cpu_products.h).
AttentionOp fast_attention();

}  // namespace evoke::model
