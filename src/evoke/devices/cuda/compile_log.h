// What NVRTC and its assembler say about a program: resources per kernel, and
// the two warnings that mean a kernel is not what its author wrote.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace evoke::cuda {

// Of one kernel, from `ptxas -v`.
struct AssemblerFacts {
  int64_t registers = 0;
  int64_t stack_bytes = 0;  // local memory per thread
  int64_t spill_store_bytes = 0;
  int64_t spill_load_bytes = 0;
  int64_t shared_bytes = 0;  // static
  int64_t barriers = 0;
};

struct CompileLog {
  std::map<std::string, AssemblerFacts> kernels;  // by entry point
  // For people and prompts: the log without the facts and without paths.
  std::string diagnostics;
  // Warnings C7508 (setmaxnreg ignored) and C7510 (wgmma serialised), each a
  // line with its way out; empty when there are none.
  std::string fatal_warnings;
};

CompileLog read_compile_log(std::string_view log);

}  // namespace evoke::cuda
