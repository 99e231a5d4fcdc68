// Reading a cubin: an ELF file of the device's machine code. Nothing in it is
// trusted; what lies outside the file or makes no sense is an error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "evoke/base/error.h"

namespace evoke::cuda {

struct CubinKernel {
  std::string name;
  int64_t code_bytes = 0;
  int64_t registers = 0;     // per thread
  int64_t shared_bytes = 0;  // static, without the alignment of dynamic memory
};

struct CubinFacts {
  std::vector<CubinKernel> kernels;  // sorted by name
  int64_t constant_bytes = 0;        // tables, not parameters
  // In memory that kernels could write to. NVRTC puts every constexpr of the
  // text there, used or not: which of them a kernel can reach is what
  // ptx_check.h says.
  std::vector<std::string> variables;
  // Equal hashes say equal machine code: instructions, constant tables,
  // registers and static shared memory of all kernels, their names included.
  // Left out is what no accepted code names: variables in global memory.
  std::string code_hash;
};

Result<CubinFacts> read_cubin(std::span<const std::byte> cubin);

}  // namespace evoke::cuda
