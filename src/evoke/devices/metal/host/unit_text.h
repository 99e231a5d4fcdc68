// One translation unit of all kernels of a compile unit: each as MLX would
// assemble it, in a namespace of its own, and the functions that the executor
// calls.
#pragma once

#include <string>

#include "evoke/devices/metal/assemble.h"
#include "evoke/devices/metal/host/artifact.h"

namespace evoke::metal::host {

// The file name under which generated text appears in diagnostics.
inline constexpr std::string_view kGeneratedLabel = "(generated)";

// Each kernel lies in one of this name and a number.
inline constexpr const char* kKernelNamespace = "evoke_kernel_";

std::string unit_text(const Assembly& assembly);
// How its functions are called.
ArtifactKernel artifact_kernel(const AssembledKernel& kernel);

}  // namespace evoke::metal::host
