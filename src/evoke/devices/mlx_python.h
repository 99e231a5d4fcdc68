// A kernel of the metal dialect as a Python module for mlx-lm: one
// mx.fast.metal_kernel per launch, given what the metal device gives it
// (metal/assemble.h), variants chosen by their conditions.
#pragma once

#include <string>
#include <string_view>

#include "evoke/base/error.h"
#include "evoke/core/kernel_source.h"
#include "evoke/core/problem.h"

namespace evoke {

// The module's text. `failed`: another dialect, or what MLX's metal_kernel
// cannot express; the message says where and what to do.
Result<std::string> to_mlx_python(const KernelSource& kernel,
                                  const ProblemSignature& signature,
                                  std::string_view program_version);

}  // namespace evoke
