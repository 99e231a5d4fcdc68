// The text that MLX puts in front of every kernel: its Metal headers, each
// once, in the order in which they need each other. MLX's build makes it with
// Apple's compiler (mlx/backend/metal/make_compiled_preamble.sh); the wheels
// hold the headers, so that it can be made anywhere.
#pragma once

#include <string>

#include "evoke/base/error.h"

namespace evoke::metal {

// `include`: the folder that holds mlx/backend/metal/kernels/utils.h.
// What MLX compiles but for comments. absent: no such folder.
Result<std::string> mlx_utilities(const std::string& include);

}  // namespace evoke::metal
