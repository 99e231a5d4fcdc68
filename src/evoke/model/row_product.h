// One row times a matrix of weights, in float32, on a CPU.
#pragma once

#include <mlx/array.h>

namespace evoke::model {

// MLX computes such a product with BLAS's sgemm, and OpenBLAS's sgemm first
// copies the whole matrix into another order, which takes longer than the
// product itself. This is BLAS's sgemv, as an operation of MLX's graph.
//
// x (..., K) with one row in all, weight (N, K), both float32; gives (..., N).
// Only where cpu_products.h says that OpenBLAS is there.
mlx::core::array row_product(const mlx::core::array& x,
                             const mlx::core::array& weight);

}  // namespace evoke::model
