// Arithmetic at its quickest: tensor cores multiplying what lies in shared
// memory or registers, over and over, and nothing else.
//
// rates.ptx and rates_sm90a.ptx are made from this file:
//   nvcc --ptx -arch=compute_80 rates.cu, with its .version lowered to 7.8
//   nvcc --ptx -gencode=arch=compute_90a,code=compute_90a rates.cu, to 8.0

// 4 warps a block; 2 * 16 * 8 * 16 operations a warp and product, kChains
// products a round.
extern "C" __global__ void evoke_multiply(unsigned rounds, float* sink) {
  constexpr int kChains = 8;
  float sums[kChains][4] = {};
  unsigned a[4] = {threadIdx.x, 1, 2, 3};
  unsigned b[2] = {threadIdx.x, 5};
  for (unsigned round = 0; round < rounds; ++round) {
#pragma unroll
    for (int i = 0; i < kChains; ++i) {
      asm volatile(
          "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
          "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
          : "+f"(sums[i][0]), "+f"(sums[i][1]), "+f"(sums[i][2]),
            "+f"(sums[i][3])
          : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
    }
  }
  float total = 0;
  for (int i = 0; i < kChains; ++i) {
    for (int j = 0; j < 4; ++j) total += sums[i][j];
  }
  if (total == 0.12345f) *sink = total;
}

#ifdef __CUDA_ARCH_FEAT_SM90_ALL
// The prelude's own, where nvcc has others already.
#define int64_t PreludeInt64
#define uint64_t PreludeUint64
#include "prelude/wgmma.h"

// A warpgroup a block: 2 * 64 * 256 * 16 operations a product, kSteps
// products a round. Operands are zeros: power is no limit then.
extern "C" __global__ void __launch_bounds__(128, 2)
    evoke_multiply_by_warpgroup(unsigned rounds, float* sink) {
  constexpr int kSteps = 4;
  __shared__ __align__(1024) unsigned char tiles[(64 + 256) * 128];
  for (unsigned i = threadIdx.x * 4; i < sizeof tiles; i += 512) {
    *reinterpret_cast<unsigned*>(&tiles[i]) = 0;
  }
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
  __syncthreads();
  const uint64_t a = descriptor_k_major(tiles);
  const uint64_t b = descriptor_k_major(tiles + 64 * 128);
  float sums[128] = {};
  for (unsigned round = 0; round < rounds; ++round) {
    wgmma_fence();
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
      wgmma<256>(sums, advanced(a, step * 32), advanced(b, step * 32), true);
    }
    wgmma_commit();
    wgmma_wait<0>();
    wgmma_hold(sums);
  }
  float total = 0;
#pragma unroll
  for (int i = 0; i < 128; ++i) total += sums[i];
  if (total == 0.12345f) *sink = total;
}
#endif
