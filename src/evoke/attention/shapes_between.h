// Sizes that nobody tuned for, drawn inside the range of those that are timed.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "evoke/core/problem.h"

namespace evoke::attention {

// Shapes that are alike but for Lk, and Lq where it equals Lk, are of one kind.
// Up to `count` of each kind, their key lengths strictly between the shortest
// and the longest one timed, drawn log-uniformly and equal to none of them.
std::vector<Shape> shapes_between(std::span<const Shape> timed, int count,
                                  uint64_t seed);

}  // namespace evoke::attention
