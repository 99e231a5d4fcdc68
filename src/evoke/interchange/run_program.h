// Runs a Python program where it can do no harm and records what it gives to
// mx.fast.metal_kernel.
//
// The process is confined as compilers are (docs/runner-protocol.md): a group
// of its own, no network, no files but the system's, Python's and a private
// folder, limits of time, processor time, memory and file size; nothing of the
// environment is inherited.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/interchange/program_record.h"

namespace evoke {

struct RunProgramOptions {
  std::string runner;    // evoke_runner's path
  std::string python;    // an interpreter that has MLX
  std::string function;  // empty: found by its parameters
  int64_t time_ms = 60'000;
  int64_t memory_bytes = int64_t{4} << 30;
};

// The project's own interpreter, EVOKE_PYTHON before it.
std::string default_python();

// `failed`: what the interpreter said, or the limit that ended it. Whatever
// the program itself throws is in the record.
Result<ProgramRecord> run_program(const std::string& text,
                                  const std::vector<Symbols>& samples,
                                  const RunProgramOptions& options);

}  // namespace evoke
