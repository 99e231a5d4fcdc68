// The seeds of kernels/, inside the program: what a run starts from when
// nobody names a file.
#pragma once

#include <optional>
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
// The file of faults that the self-test tries, each chosen by its parameters;
// not every dialect has one.
std::optional<EmbeddedKernel> embedded_mutants(Dialect dialect);

}  // namespace evoke
