// A kernel file as the Metal source that MLX compiles, and back.
#pragma once

#include <string>
#include <string_view>

#include "evoke/base/error.h"
#include "evoke/core/kernel_source.h"
#include "evoke/core/problem.h"

namespace evoke {

// The plan as a comment, then for every variant and kernel a line that names
// them and the text that MLX hands to Metal's compiler, less its utilities.
// `constants`: the problem's compile-time letters.
Result<std::string> to_metal_text(const KernelSource& kernel,
                                  const ProblemSignature& signature,
                                  const Symbols& constants);

// Whether a text was made by to_metal_text.
bool is_metal_text(std::string_view text);
// The kernel file that it was made from: the same plan and the same code, but
// for where kernels stand among the other text.
Result<KernelSource> from_metal_text(std::string_view text,
                                     std::string_view path);

}  // namespace evoke
