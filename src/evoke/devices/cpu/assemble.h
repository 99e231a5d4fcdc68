// From a kernel file to the C++ that is compiled: prelude, constants, a
// generated signature for each kernel of the variant, the file's own text
// under its own line numbers, and the entry points that the session calls.
#pragma once

#include <string>

#include "evoke/base/error.h"
#include "evoke/core/kernel_source.h"
#include "evoke/core/launch_plan.h"
#include "evoke/core/problem.h"

namespace evoke::cpu {

// The name of KERNEL(kernel)'s entry point in the shared object.
std::string entry_point(const std::string& kernel);

// Errors ("path: what") are about the file: a kernel that a launch names and
// the code lacks.
Result<std::string> assemble(const KernelSource& kernel,
                             const ProblemSignature& signature,
                             const CompileUnit& unit);

}  // namespace evoke::cpu
