// Tensor cores by the warpgroup: wgmma, m64nNk16 on bfloat16 with float
// accumulators, N any multiple of 8 up to 256.
//
//   wgmma_fence();                        // sums and a are in registers
//   for k in steps of 16: wgmma<N>(...);  // asynchronous
//   wgmma_commit();
//   wgmma_wait<0>();                      // now the sums may be read
//
// Warp w of the warpgroup (4 warps, the first a multiple of 4) holds rows 16w
// to 16w + 15. With g = lane / 4 and t = lane % 4 its sums are
//   d[4j], d[4j+1]    row 16w + g,     columns 8j + 2t, 8j + 2t + 1
//   d[4j+2], d[4j+3]  row 16w + g + 8, the same columns
// and a in registers is as in warp_mma.h, so that the sums of one product,
// packed in pairs, are the a of the next: for k step s
//   d[8s],d[8s+1]  d[8s+2],d[8s+3]  d[8s+4],d[8s+5]  d[8s+6],d[8s+7]
#pragma once

#include "types.h"
#include "wgmma_shapes.h"

// Operands in shared memory lie in panels of 64 elements (128 bytes) per row,
// rows 128 bytes apart, the 16-byte chunks of a row swizzled by the row's
// number modulo 8: what a tensor copy with a box 64 elements wide and swizzle
// 128 writes. Panels begin at multiples of 1024 bytes.

// K-major (a, or b = rows of K): rows are M or N, the panel's 64 elements lie
// along K. A step of 16 along K is 32 bytes further; after four steps comes
// the next panel.
EVOKE_DEVICE uint64_t descriptor_k_major(const void* shared) {
  constexpr uint64_t kEightRows = 1024 >> 4;
  constexpr uint64_t kSwizzle128 = 1;
  return static_cast<uint64_t>((shared_address(shared) & 0x3ffff) >> 4) |
         uint64_t{1} << 16 | kEightRows << 32 | kSwizzle128 << 62;
}
// MN-major (b = V as stored): rows are K, the panel's 64 elements lie along N;
// panels of further N are `panel_bytes` apart. A step of 16 along K is 2048
// bytes further.
EVOKE_DEVICE uint64_t descriptor_mn_major(const void* shared,
                                          uint32_t panel_bytes) {
  constexpr uint64_t kEightRows = 1024 >> 4;
  constexpr uint64_t kSwizzle128 = 1;
  return static_cast<uint64_t>((shared_address(shared) & 0x3ffff) >> 4) |
         static_cast<uint64_t>(panel_bytes >> 4) << 16 | kEightRows << 32 |
         kSwizzle128 << 62;
}
// The descriptor `bytes` further (a multiple of 16).
EVOKE_DEVICE uint64_t advanced(uint64_t descriptor, uint32_t bytes) {
  return descriptor + (bytes >> 4);
}
// Where chunk `chunk` (16 bytes) of row `row` of a panel lies, in bytes.
EVOKE_DEVICE uint32_t swizzled_chunk(uint32_t row, uint32_t chunk) {
  return row * 128 + ((chunk ^ (row & 7)) << 4);
}

EVOKE_DEVICE void wgmma_fence() {
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
EVOKE_DEVICE void wgmma_commit() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
template <int pending>
EVOKE_DEVICE void wgmma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(pending) : "memory");
}
// Keeps the compiler from moving uses of these registers across; no code.
template <int count>
EVOKE_DEVICE void wgmma_hold(float (&d)[count]) {
#pragma unroll
  for (int i = 0; i < count; ++i) asm volatile("" : "+f"(d[i])::"memory");
}

enum class Major { k, mn };

// d = a * b (64 x 16 by 16 x n), added to d if `accumulate`.
template <int n, Major b_major = Major::k>
EVOKE_DEVICE void wgmma(float (&d)[n / 2], uint64_t a, uint64_t b,
                        bool accumulate) {
  WgmmaShape<n>::template from_shared<b_major == Major::mn ? 1 : 0>(
      d, a, b, accumulate ? 1 : 0);
}
template <int n, Major b_major = Major::k>
EVOKE_DEVICE void wgmma(float (&d)[n / 2], uint32_t a0, uint32_t a1,
                        uint32_t a2, uint32_t a3, uint64_t b, bool accumulate) {
  WgmmaShape<n>::template from_registers<b_major == Major::mn ? 1 : 0>(
      d, a0, a1, a2, a3, b, accumulate ? 1 : 0);
}
