// The seeds of kernels/, inside the program: what a run starts from when
// nobody names a file.
#pragma once

#include <string_view>
#include <vector>

#include "evoke/core/kernel_source.h"

namespace evoke {

struct EmbeddedKernel {
  std::string_view path;  // "attention/cpu/composite.cpp"
  std::string_view text;
};

// In the order of preference: the first is the default seed.
std::vector<EmbeddedKernel> embedded_kernels(Dialect dialect);

}  // namespace evoke
