// How the session calls a compiled kernel: plain data, the same on both
// sides. Part of the prelude, so a change here changes every compile key.
#pragma once

#include <cstdint>

inline constexpr int kEvokeMaxRank = 8;

// Where a tensor lies. Entries beyond its rank are 1 (shape) and 0 (strides).
struct EvokeTensor {
  void* data;
  int64_t shape[kEvokeMaxRank];
  int64_t strides[kEvokeMaxRank];  // in elements
};

// One launch: what all its threadgroups share.
struct EvokeArguments {
  const EvokeTensor* tensors;  // the launch's reads, then its writes
  const int64_t* sizes;        // sorted by name: B Lk Lq, derived integers
  const float* scalars;        // sorted by name
  uint32_t threadgroups[3];
};

// Exported as evoke_run_KERNEL: runs threadgroups [begin, end) of the grid,
// numbered with x running first. `memory`: dynamic_memory bytes, 64-byte
// aligned, of the calling thread alone.
using EvokeRunFunction = void (*)(const EvokeArguments* arguments,
                                  uint64_t begin, uint64_t end, char* memory);
