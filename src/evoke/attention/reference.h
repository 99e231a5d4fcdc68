// The right answer: attention in float64, two passes, no shortcuts.
#pragma once

#include <cstdint>
#include <span>

namespace evoke::attention {

// One query row; it sees the first `visible` keys of its plane.
struct QueryRow {
  const float* query = nullptr;  // D elements
  int64_t visible = 0;
};

// Attention of rows that share one (b, kv_head) plane. keys and values are
// (Lk, D), contiguous, D a multiple of 8. Row r's answer goes to
// output[r * D]; a row that sees no key gets zeros. Thread-safe.
//
// spread[r], if wanted, is sqrt(sum_j w_j^2 |v_j|^2) with w the softmax: how
// far independent relative errors of the probabilities move the answer, per
// unit of error.
void attend_f64(std::span<const QueryRow> rows, const float* keys,
                const float* values, int64_t dim, double scale, double* output,
                double* spread = nullptr);

}  // namespace evoke::attention
