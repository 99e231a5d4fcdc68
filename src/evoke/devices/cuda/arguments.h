// The parameters of a generated kernel, in their order: what assemble.cpp
// writes and the session fills in.
//
//   for every tensor of reads, then writes: pointer, Extents<int>,
//     Extents<long long> (shape and strides in elements)
//   for every tensor map of the launch: CUtensorMap
//   for every size (B Lq Lk and the derived, sorted): int
//   for every scalar (sorted): float
#pragma once

#include <cstddef>
#include <cstdint>

namespace evoke::cuda {

// A tensor's rank; those of rank 0 are passed as of rank 1.
inline constexpr std::size_t kMaxRank = 8;
// Of all parameters together, on every architecture.
inline constexpr std::size_t kMaxParameterBytes = 4096;
// Where dynamic threadgroup memory begins: what 128-byte swizzled tensor
// copies ask for.
inline constexpr std::size_t kSharedAlignment = 1024;

}  // namespace evoke::cuda
