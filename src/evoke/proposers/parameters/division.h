// Variants cut in two between sizes that they serve, so that either side can
// have values of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "evoke/base/expression.h"
#include "evoke/core/kernel_source.h"

namespace evoke::parameters {

struct Division {
  std::size_t variant = 0;
  std::string size;     // "Lk"
  int64_t largest = 0;  // on the lower side
};

// Between neighbouring sizes of the shapes that a variant serves, half way
// between the two (geometrically). `shapes`: all that conditions may name,
// parameters aside; one that no variant takes counts for none. Of two sizes
// that part the shapes alike only the first is listed, by name.
std::vector<Division> divisions_of(const KernelPlan& plan,
                                   const std::vector<Symbols>& shapes);

// The lower side becomes a variant in front of the other.
KernelPlan divided(KernelPlan plan, const Division& division);

}  // namespace evoke::parameters
