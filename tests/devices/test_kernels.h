// Small kernel files for tests.
#pragma once

#include <memory>
#include <string>

#include "evoke/core/kernel_source.h"
#include "evoke/devices/cpu/compiler.h"

namespace evoke::testing {

// A plan with one kernel "attend" over the whole output (one threadgroup per
// row of the output), then `code`.
std::string with_plan(const std::string& code,
                      const std::string& parameters = "");

// Parses; fails the test when that does not work.
KernelSource parse_kernel(const std::string& text,
                          const std::string& path = "folder/kernel.cpp");

// What `kernel` compiles to at a small shape.
CompileReply compile_small(Compiler& compiler, const KernelSource& kernel);

// One for all tests of a program: the prelude is compiled once.
cpu::CpuCompiler& shared_compiler();

}  // namespace evoke::testing
