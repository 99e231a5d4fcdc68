// The faults that kernels/mutants/attention.* can be compiled with: wrong
// kernels that a device runs, where mutants.h emulates them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "evoke/core/kernel_source.h"

namespace evoke::attention {

struct KernelMutant {
  std::string name;  // the emulated one's, where there is one
  std::string description;
  // Values of the file's parameters of these names.
  int64_t family = 0;
  int64_t mutant = 0;
  bool honest = false;  // must be accepted
  // As Mutant::left_to_full_list.
  bool left_to_full_list = false;
};

// Those of the dialect, honest forms first.
std::vector<KernelMutant> kernel_mutants(Dialect dialect);

// The file with these parameters. Fails when the file does not know them.
Result<KernelSource> with_mutant(const KernelSource& file,
                                 const KernelMutant& mutant);

}  // namespace evoke::attention
