// What machine instructions a kernel is made of, as NVIDIA's disassembler
// prints them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "evoke/base/error.h"

namespace evoke::cuda {

// Instructions by kind: "wgmma", "mma", "tensor copy", "bulk copy",
// "global load 128", "shared load", "exp2", "fma", "other", ...
using InstructionMix = std::map<std::string, int64_t>;

struct SassFacts {
  InstructionMix mix;
  bool tells_time = false;  // reads a clock
  bool waits = false;       // for the launch before (griddepcontrol.wait)
};

// Of each kernel (by entry point), from the output of `nvdisasm -c` or
// `cuobjdump -sass`. Padding after a kernel's end is not counted.
std::map<std::string, SassFacts> read_sass(std::string_view text);

// Where nvdisasm (or else cuobjdump) is; empty when it is nowhere. Looked for
// in EVOKE_CUDA_BIN, CUDA_HOME, /usr/local/cuda*, PATH's usual folders and in
// NVIDIA's wheels beside `nvrtc_path`.
std::string find_disassembler(const std::string& nvrtc_path);
// Disassembles a cubin. Errors say nothing about the kernel.
Result<std::string> disassemble(const std::string& program,
                                const std::string& cubin_path,
                                int64_t time_limit_ms);

}  // namespace evoke::cuda
