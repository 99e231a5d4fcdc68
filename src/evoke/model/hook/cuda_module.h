// The one entry point of libevoke_hook_cuda.so, which holds what only MLX's
// CUDA back end has symbols for. Module and program come from the same build
// and share the one libmlx that the program has loaded.
#pragma once

#include <memory>

#include "evoke/base/error.h"
#include "evoke/model/hook/kernel_launcher.h"

namespace evoke::model {

// Throws nothing. Exported as evoke_make_cuda_launcher.
using MakeCudaLauncher = void(Result<std::unique_ptr<KernelLauncher>>* reply);
inline constexpr const char* kMakeCudaLauncher = "evoke_make_cuda_launcher";

}  // namespace evoke::model
