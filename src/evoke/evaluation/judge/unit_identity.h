// What decides the object that compiling one unit gives: everything that the
// compiler will see, and nothing else; neither line numbers nor comments. Two
// units of equal identity compile to the same object, so a step of a parameter
// that only one variant uses costs the others nothing.
#pragma once

#include <string>

#include "evoke/core/kernel_source.h"
#include "evoke/core/launch_plan.h"
#include "evoke/core/problem.h"

namespace evoke::judge {

// 32 hexadecimal digits. Diagnostics name lines as well: see
// unit_compiler.cpp.
std::string unit_identity(const KernelSource& kernel,
                          const ProblemSignature& signature,
                          const CompileUnit& unit);

}  // namespace evoke::judge
