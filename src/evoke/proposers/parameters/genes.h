// The genes of a kernel file: the global parameters of its plan, and the
// values that single variants put in their place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "evoke/base/expression.h"
#include "evoke/core/kernel_source.h"

namespace evoke::parameters {

struct Gene {
  static constexpr std::size_t kGlobal = static_cast<std::size_t>(-1);
  std::size_t variant = kGlobal;  // whose override it is
  std::size_t parameter = 0;      // index into KernelPlan::parameters
};

// Those with a choice: at least two values.
std::vector<Gene> genes_of(const KernelPlan& plan);
// Ascending.
std::vector<int64_t> choices_of(const KernelPlan& plan, const Gene& gene);
int64_t value_of(const KernelPlan& plan, const Gene& gene);
void set_value(KernelPlan& plan, const Gene& gene, int64_t value);

// The value that a parameter has in a variant.
int64_t effective_value(const KernelPlan& plan, std::size_t variant,
                        const Parameter& parameter);
// Makes it so: by an override, or without one where the global value is the
// same.
void set_effective_value(KernelPlan& plan, std::size_t variant,
                         const Parameter& parameter, int64_t value);

// `facts` and the values of the parameters in a variant.
Symbols symbols_in(const KernelPlan& plan, std::size_t variant, Symbols facts);

// The index of the variant of that name.
std::optional<std::size_t> find_variant(const KernelPlan& plan,
                                        const std::string& name);

// Without overrides that repeat the global value.
KernelPlan normalised(KernelPlan plan);

// Whether every constraint holds in every variant, for each of `known`:
// what is known of the compile-time letters and the device. Constraints with
// other names in them are left to the judge.
bool constraints_hold(const KernelPlan& plan,
                      const std::vector<Symbols>& known);

// "tile_kv 64 -> 128; decode: splits 4 -> 8". Empty when nothing differs.
std::string describe_change(const KernelPlan& before, const KernelPlan& after);

}  // namespace evoke::parameters
