// What a compiled Metal kernel and the executor know of each other: plain
// data and C functions. Part of the shim, so a change here changes every
// compile key. The kernel's side is compiled by clang in C++17.
#pragma once

#include <stdint.h>

inline constexpr int64_t kEvokeMetalThreadgroupBytes = 32 * 1024;

// Where one thread of a launch stands; the values of Metal's attributes.
struct EvokeMetalThread {
  uint32_t thread_position_in_grid[3];
  uint32_t thread_position_in_threadgroup[3];
  uint32_t threadgroup_position_in_grid[3];
  uint32_t threads_per_threadgroup[3];  // of this threadgroup
  uint32_t dispatch_threads_per_threadgroup[3];
  uint32_t threads_per_grid[3];
  uint32_t threadgroups_per_grid[3];
  uint32_t thread_index_in_threadgroup;
  uint32_t thread_index_in_simdgroup;
  uint32_t simdgroup_index_in_threadgroup;
  uint32_t simdgroups_per_threadgroup;
};

// Exported as evoke_run_KERNEL: one thread, from start to end. `arguments`
// hold one address per parameter of the kernel, in its order.
using EvokeMetalFunction = void (*)(void* const* arguments,
                                    const EvokeMetalThread* thread);

// A variable in threadgroup memory.
struct EvokeMetalVariable {
  const char* name;
  int32_t line;
  uint32_t bytes;
  uint32_t alignment;
  uint32_t granule;  // bytes of its scalars: what is accessed as one
};

// What the lanes of a simdgroup brought to one operation, and what one of
// them made of it for all.
struct EvokeMetalLanes {
  uint64_t values[32][3];
  uint32_t active;        // a bit for each lane that takes part
  uint32_t lane;          // the caller's
  uint32_t shared_ready;  // 0: no lane has filled `shared` yet
  alignas(64) float shared[64];
};

enum EvokeMetalOperation : int32_t {
  kEvokeMetalReduction,  // of the active lanes: may be divergent
  kEvokeMetalShuffle,
  kEvokeMetalMatrix,
  kEvokeMetalSimdgroupBarrier,
  kEvokeMetalThreadgroupBarrier
};

// Where lanes meet: an operation at a line and column. Ordered as in the text.
constexpr uint64_t evoke_metal_place(EvokeMetalOperation operation,
                                     int32_t line, int32_t column) {
  return (uint64_t)(uint32_t)line << 32 | ((uint64_t)column & 0xffffff) << 8 |
         (uint64_t)operation;
}

enum EvokeMetalFault : int32_t {
  kEvokeMetalInactiveLane,  // value: the lane
  kEvokeMetalLaneRange      // value: the lane
};

// The functions that the executor gives to kernels.
extern "C" {
// The same for all of a thread's life, so asked for once.
__attribute__((const)) const EvokeMetalThread* evoke_metal_thread();
// Brings three words and waits for the other lanes at the same place; the
// answer stays until this lane's next operation but one.
EvokeMetalLanes* evoke_metal_exchange(uint64_t first, uint64_t second,
                                      uint64_t third, uint64_t place);
void evoke_metal_barrier(uint32_t flags, uint64_t place);
void* evoke_metal_threadgroup_memory(const EvokeMetalVariable* variable);
void evoke_metal_fault(int32_t fault, int32_t value, int32_t line);
// Before an atomic access, in checked builds.
void evoke_metal_atomic(const void* address, uint32_t bytes);
}
