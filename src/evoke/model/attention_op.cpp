#include "evoke/model/attention_op.h"

#include <mlx/fast.h>
#include <mlx/ops.h>

#include "evoke/model/cpu_products.h"

namespace evoke::model {

namespace mx = mlx::core;

AttentionOp fast_attention() {
  return [](const mx::array& query, const mx::array& key,
            const mx::array& value, float scale, bool causal) {
    const char* mask = causal ? "causal" : "";
    if (query.dtype() == mx::float32 || !widens_products()) {
      return mx::fast::scaled_dot_product_attention(query, key, value, scale,
                                                    mask);
    }
    const auto widen = [](const mx::array& x) {
      return mx::astype(x, mx::float32);
    };
    return mx::astype(mx::fast::scaled_dot_product_attention(
                          widen(query), widen(key), widen(value), scale, mask),
                      query.dtype());
  };
}

}  // namespace evoke::model
