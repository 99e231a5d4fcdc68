// From a kernel file to the CUDA C++ that NVRTC compiles: prelude, constants,
// a generated signature for each kernel of the variant, and the file's own
// text under its own line numbers.
#pragma once

#include <string>

#include "evoke/base/error.h"
#include "evoke/core/kernel_source.h"
#include "evoke/core/launch_plan.h"
#include "evoke/core/problem.h"

namespace evoke::cuda {

// The name of KERNEL(kernel)'s function in the cubin.
std::string entry_point(const std::string& kernel);

// Errors ("path: what") are about the file.
Result<std::string> assemble(const KernelSource& kernel,
                             const ProblemSignature& signature,
                             const CompileUnit& unit);

}  // namespace evoke::cuda
