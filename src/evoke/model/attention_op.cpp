#include "evoke/model/attention_op.h"

#include <mlx/fast.h>

namespace evoke::model {

namespace mx = mlx::core;

AttentionOp fast_attention() {
  return [](const mx::array& query, const mx::array& key,
            const mx::array& value, float scale, bool causal) {
    return mx::fast::scaled_dot_product_attention(query, key, value, scale,
                                                  causal ? "causal" : "");
  };
}

}  // namespace evoke::model
