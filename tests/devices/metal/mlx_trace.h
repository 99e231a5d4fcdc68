// What MLX itself makes of a metal_kernel call. Works without a Mac: while
// a function is being exported, MLX records kernels that it cannot run, and
// prints their text when asked to.
#pragma once

#include <string>

#include "evoke/devices/metal/mlx_kernel.h"

namespace evoke::testing {

// The text that MLX compiles, less its utilities. Throws what MLX throws.
std::string text_by_mlx(const metal::MlxKernel& kernel);

}  // namespace evoke::testing
