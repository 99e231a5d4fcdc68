// Tensor cores by the warp: mma.sync on bfloat16 with float accumulators, and
// the moves that build its fragments.
#pragma once

#include "types.h"

// In a warp let g = lane / 4 and t = lane % 4.

// d (16 x 8) += a (16 x 16) * b (16 x 8), bfloat16 into float.
//   a[0] row g,     columns 2t, 2t+1      a[2] row g,     columns 2t+8, 2t+9
//   a[1] row g + 8, columns 2t, 2t+1      a[3] row g + 8, columns 2t+8, 2t+9
//   b[0] rows 2t, 2t+1 of column g        b[1] rows 2t+8, 2t+9 of column g
//   d[0], d[1] row g, columns 2t, 2t+1    d[2], d[3] row g + 8
EVOKE_DEVICE void mma_16x8x16(float (&d)[4], uint32_t a0, uint32_t a1,
                              uint32_t a2, uint32_t a3, uint32_t b0,
                              uint32_t b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}

// Four 8 x 8 matrices from shared memory. Lane i gives the address of row
// i % 8 of matrix i / 8 (16 bytes each); m[k] is row g, columns 2t, 2t+1 of
// matrix k, or with `transposed` rows 2t, 2t+1 of column g.
EVOKE_DEVICE void load_matrices(uint32_t (&m)[4], uint32_t row_address) {
  asm volatile(
      "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
      : "=r"(m[0]), "=r"(m[1]), "=r"(m[2]), "=r"(m[3])
      : "r"(row_address)
      : "memory");
}
EVOKE_DEVICE void load_matrices_transposed(uint32_t (&m)[4],
                                           uint32_t row_address) {
  asm volatile(
      "ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
      : "=r"(m[0]), "=r"(m[1]), "=r"(m[2]), "=r"(m[3])
      : "r"(row_address)
      : "memory");
}
// The reverse of load_matrices.
EVOKE_DEVICE void store_matrices(uint32_t row_address, uint32_t m0, uint32_t m1,
                                 uint32_t m2, uint32_t m3) {
  asm volatile(
      "stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(
          row_address),
      "r"(m0), "r"(m1), "r"(m2), "r"(m3)
      : "memory");
}
// From row g, columns 2t, 2t+1 to rows 2t, 2t+1 of column g.
EVOKE_DEVICE uint32_t transpose_matrix(uint32_t m) {
  uint32_t transposed;
  asm volatile("movmatrix.sync.aligned.m8n8.trans.b16 %0, %1;"
               : "=r"(transposed)
               : "r"(m));
  return transposed;
}
