// A change of one element of one input, small and where nobody expects it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "evoke/base/rng.h"
#include "evoke/core/tensor.h"
#include "evoke/evaluation/judge/call_memory.h"

namespace evoke::judge {

struct InputChange {
  int64_t byte = 0;  // of the packed inputs
  std::byte flip{0};

  void apply(std::span<std::byte> inputs) const {
    inputs[static_cast<std::size_t>(byte)] ^= flip;
  }
};

// Any element of any packed tensor: its sign changes (floats), or its lowest
// bit (integers).
InputChange choose_change(const std::vector<TensorLayout>& layouts,
                          const PackedLayout& packed, Rng& rng);

}  // namespace evoke::judge
