// Which shapes, inputs and layouts a kernel must get right.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "evoke/attention/shape.h"
#include "evoke/core/kernel_source.h"
#include "evoke/core/problem.h"

namespace evoke::attention {

// What the lists need to know of a kernel.
struct KernelReach {
  // The variant that takes a shape, if any.
  std::function<std::optional<std::size_t>(const AttentionShape&)> variant_of;
  // Every value of parameters named tile_*, overrides of variants included;
  // the usual tiles if there is none.
  std::vector<int64_t> tiles;
};
KernelReach reach_of(const KernelSource& kernel);

// The lists for one kernel and workload, cheap cases first. Head counts, head
// dimension and `causal` are always those of a timed shape (they are compile
// time constants), and a variant must take the shape.
//
//   screen  per timed variant one small ragged shape with blended input
//   gate    per timed variant: every timed shape, the smallest shape, one
//           beside a tile's edge, a long ragged one, a batch of three, all
//           with blended inputs, the timed ones also with needles; needles
//           among 2,055 keys where no timed shape has so many
//   full    every probe shape that any variant takes; every input at the
//           timed and the long shapes, blended and needle elsewhere
std::vector<GateCase> make_gate_cases(const KernelReach& reach,
                                      const Workload& workload,
                                      GateLevel level);

}  // namespace evoke::attention
