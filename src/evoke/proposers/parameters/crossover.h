// Crossover of kernel files.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "evoke/base/rng.h"
#include "evoke/core/kernel_source.h"

namespace evoke::parameters {

// Each gene from one of two plans of the same code. nullopt: the plans do
// not fit each other.
std::optional<KernelPlan> recombined(const KernelPlan& parent,
                                     const KernelPlan& mate, Rng& rng);

// The parent with variant `chosen` of the mate's: decode from one, prefill
// from the other. With the same code that is the variant's parameters and
// launch settings; else its kernels and what they need come along, renamed
// where names collide. nullopt: there is no such child.
struct VariantCrossover {
  KernelPlan plan;
  std::string code;
};
std::optional<VariantCrossover> cross_variants(const KernelSource& parent,
                                               const KernelSource& mate,
                                               std::size_t chosen);

}  // namespace evoke::parameters
