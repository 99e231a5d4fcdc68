// How MLX's arrays lie, as kernels want to know it.
#pragma once

#include <mlx/allocator.h>
#include <mlx/array.h>

#include <cstdint>
#include <vector>

namespace evoke::model {

// Strides with those of extent 1 made regular: MLX leaves anything there.
std::vector<int64_t> regular_strides(const mlx::core::array& tensor);

// Whether kernels take it: the last dimension without gaps, other strides
// multiples of `multiple` elements.
bool has_strides_for_kernels(const mlx::core::array& tensor, int64_t multiple);

// Gives `output`, (B, Hq, Lq, D), this memory in the order (B, Lq, Hq, D):
// what comes next in a model puts the heads of a query beside each other, and
// finds them so.
void set_output_memory(mlx::core::array& output,
                       mlx::core::allocator::Data memory);

}  // namespace evoke::model
