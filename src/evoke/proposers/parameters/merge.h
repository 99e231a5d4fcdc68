// One variant of a kernel file made part of another file with other code.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "evoke/core/kernel_source.h"

namespace evoke::parameters {

struct MergedKernel {
  KernelPlan plan;
  std::string code;
};

// Merged code may not grow beyond this.
inline constexpr std::size_t kMaxMergedBytes = 64 * 1024;

// `mate`'s variant takes the place of the parent's variant `place`; place ==
// number of variants: in front of all. Every name of the mate's that the
// parent uses too gets another. nullopt: the code is not understood, or the
// fixed text of the two differs, or the result would be too large.
std::optional<MergedKernel> merged(const KernelSource& parent,
                                   const KernelSource& mate,
                                   std::size_t variant, std::size_t place);

}  // namespace evoke::parameters
