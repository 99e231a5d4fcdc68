// Removes what provably does nothing: from a plan, and from code.
#pragma once

#include "evoke/base/error.h"
#include "evoke/core/kernel_source.h"

namespace evoke::parameters {

// Variants behind one that takes every shape; scratch that no launch names;
// derived integers and parameters whose names stand nowhere; overrides that
// repeat the global value.
KernelPlan simplified_plan(const KernelPlan& plan, std::string_view code);

// Kernels that no variant launches, and what only they used, unless they lie
// outside the EVOLVE-BLOCK markers. The code is returned as it is when it is
// not understood.
std::string simplified_code(const KernelPlan& plan, std::string_view code);

// Both. The result may equal `kernel`.
Result<KernelSource> simplified(const KernelSource& kernel);

}  // namespace evoke::parameters
