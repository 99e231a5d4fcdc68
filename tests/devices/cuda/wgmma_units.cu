// wgmma at every width, as prelude_units.cu: by the table's columns name,
// blocks, threads, cluster, bytes of dynamic shared memory, launches,
// tolerance.
//   unit k_major      32 128 1 41984 1 1e-5
//   unit mn_major      3 128 1 41984 1 1e-5
//   unit k_major_rs    3 128 1 41984 1 1e-5
//   unit mn_major_rs  32 128 1 41984 1 1e-5
#include "units.h"

// Every how many of N a kernel is made for: 8 is all; a test of compiling
// alone may take fewer.
#ifndef WIDTH_STRIDE
#define WIDTH_STRIDE 8
#endif

// Each block multiplies 64 x 64 by 64 x N for an N of its own.
EVOKE_DEVICE int first_output(int width) {
  return 64 * (width / 8 - 1) * width / 2;
}
EVOKE_DEVICE int every_width() { return 8 * (blockIdx.x + 1); }
EVOKE_DEVICE int some_width() { return 8 + 88 * blockIdx.x; }  // 8 96 184
enum class From { shared, registers };

template <int n, Major major, From from>
EVOKE_DEVICE void multiply(const bfloat16* matrix, float* out) {
  unsigned char* const a_panel = shared;
  unsigned char* const b_panels = shared + 8192;
  const auto put = [&](unsigned char* panel, int row, int column, bfloat16 x) {
    reinterpret_cast<bfloat16*>(panel +
                                swizzled_chunk(row, column / 8))[column % 8] = x;
  };
  for (int i = threadIdx.x; i < 64 * 64; i += kWarpgroup) {
    put(a_panel, i / 64, i % 64, matrix[i / 64 * kColumns + i % 64]);
  }
  for (int i = threadIdx.x; i < 64 * n; i += kWarpgroup) {
    if constexpr (major == Major::k) {
      put(b_panels, i / 64, i % 64, matrix[i / 64 * kColumns + 64 + i % 64]);
    } else {
      const int k = i / n;
      const int column = i % n;
      put(b_panels + column / 64 * 8192, k, column % 64,
          matrix[(64 + k) * kColumns + column]);
    }
  }
  fence_async_proxy();
  __syncthreads();
  const int row = threadIdx.x / kWarp * 16 + threadIdx.x % kWarp / 4;
  const int t = threadIdx.x % 4;
  const uint64_t a = descriptor_k_major(a_panel);
  const uint64_t b = major == Major::k ? descriptor_k_major(b_panels)
                                       : descriptor_mn_major(b_panels, 8192);
  uint32_t left[4][4];
#pragma unroll
  for (int i = 0; i < 16; ++i) {
    const bfloat16* const from_row = matrix + (row + i % 2 * 8) * kColumns;
    left[i / 4][i % 4] = *reinterpret_cast<const uint32_t*>(
        from_row + i / 4 * 16 + 2 * t + i % 4 / 2 * 8);
  }
  float d[n / 2];
  wgmma_fence();
#pragma unroll
  for (int step = 0; step < 4; ++step) {
    const uint64_t b_step =
        advanced(b, step * (major == Major::k ? 32 : 2048));
    if constexpr (from == From::shared) {
      wgmma<n, major>(d, advanced(a, step * 32), b_step, step != 0);
    } else {
      const uint32_t(&x)[4] = left[step];
      wgmma<n, major>(d, x[0], x[1], x[2], x[3], b_step, step != 0);
    }
  }
  wgmma_commit();
  wgmma_wait<0>();
  wgmma_hold(d);
  float* const mine = out + first_output(n);
#pragma unroll
  for (int i = 0; i < n / 2; ++i) {
    mine[(row + i / 2 % 2 * 8) * n + i / 4 * 8 + 2 * t + i % 2] = d[i];
  }
}
template <Major major, From from, int stride, int n = 8>
EVOKE_DEVICE void multiply_width(int width, const bfloat16* matrix,
                                 float* out) {
  if (width == n) {
    multiply<n, major, from>(matrix, out);
  } else if constexpr (n + stride <= 256) {
    multiply_width<major, from, stride, n + stride>(width, matrix, out);
  }
}
template <Major major>
EVOKE_DEVICE void multiply_plainly(int n, const bfloat16* matrix, float* out) {
  for (int i = threadIdx.x; i < 64 * n; i += kWarpgroup) {
    float sum = 0;
    for (int k = 0; k < 64; ++k) {
      const bfloat16 b = major == Major::k
                             ? matrix[i % n * kColumns + 64 + k]
                             : matrix[(64 + k) * kColumns + i % n];
      sum += static_cast<float>(matrix[i / n * kColumns + k]) *
             static_cast<float>(b);
    }
    out[first_output(n) + i] = sum;
  }
}
UNIT(unit_k_major) {
  multiply_width<Major::k, From::shared, WIDTH_STRIDE>(every_width(), matrix, out);
}
UNIT(plain_k_major) { multiply_plainly<Major::k>(every_width(), matrix, out); }
UNIT(unit_mn_major) {
  multiply_width<Major::mn, From::shared, 88>(some_width(), matrix, out);
}
UNIT(plain_mn_major) { multiply_plainly<Major::mn>(some_width(), matrix, out); }
UNIT(unit_k_major_rs) {
  multiply_width<Major::k, From::registers, 88>(some_width(), matrix, out);
}
UNIT(plain_k_major_rs) { multiply_plainly<Major::k>(some_width(), matrix, out); }
UNIT(unit_mn_major_rs) {
  multiply_width<Major::mn, From::registers, WIDTH_STRIDE>(every_width(), matrix, out);
}
UNIT(plain_mn_major_rs) {
  multiply_plainly<Major::mn>(every_width(), matrix, out);
}
