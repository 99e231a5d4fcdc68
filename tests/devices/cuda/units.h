// What the units of the prelude share: a pair of kernels unit_NAME, plain_NAME
// is launched on the same input; `out` must agree within the unit's tolerance,
// relative to the greatest magnitude, and `copy` bitwise.
//
//   in      kInputs floats, normal
//   matrix  kRows x kColumns bfloat16, normal; matrix_map: boxes of 64 x 64,
//           swizzled by 128 bytes
//   out     kOutputs floats, zero before
//   copy    kRows x kColumns bfloat16, zero before; copy_map: as matrix_map
#pragma once

#include "prelude.h"

constexpr int kInputs = 4096;
constexpr int kOutputs = 64 * 4224;  // 64 rows of all widths 8, 16, .. 256
constexpr int kRows = 256;
constexpr int kColumns = 256;

#define UNIT(name)                                                         \
  extern "C" __global__ void __launch_bounds__(256, 1)                     \
      name(const float* in, const bfloat16* matrix, float* out,            \
           bfloat16* copy, const __grid_constant__ CUtensorMap matrix_map, \
           const __grid_constant__ CUtensorMap copy_map)

extern __shared__ __align__(1024) unsigned char shared[];

EVOKE_DEVICE int thread() { return blockIdx.x * blockDim.x + threadIdx.x; }
