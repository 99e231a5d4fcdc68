// What one call must move and compute.
#pragma once

#include "evoke/attention/shape.h"
#include "evoke/core/problem.h"

namespace evoke::attention {

// bytes: every tensor once (bf16), keys that no query sees not counted.
// flops: 2 D for the score and 2 D for the sum of every (query, key) pair.
WorkEstimate work_of(const AttentionShape& shape);

}  // namespace evoke::attention
