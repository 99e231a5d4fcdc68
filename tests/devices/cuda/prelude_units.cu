// One kernel for each part of the prelude, unit_NAME, beside the same function
// in plain code, plain_NAME. A driver launches both on the same input and
// compares, as units.h says. The table that drivers read: name, blocks,
// threads, cluster, bytes of dynamic shared memory, launches, tolerance.
//   unit conversions   16  256 1      0 1 0
//   unit exp2          16  256 1      0 1 1e-6
//   unit polynomials    4  256 1      0 1 1e-4
//   unit reductions     4  256 1      0 1 1e-6
//   unit ring           1  128 1   4096 1 0
//   unit named          1  256 1   2048 1 0
//   unit copy_async     1  128 1   4096 1 0
//   unit bulk           1  128 1   8192 1 0
//   unit tensor_load    4  128 1  17408 1 0
//   unit multicast      2  128 2  17408 1 0
//   unit cluster        4  128 4   4096 1 0
//   unit remote_async   4  128 4   4096 1 0
//   unit tickets       64   32 1      0 1 0
//   unit dependent      1  256 1      0 2 0
//   unit registers      1  256 1   1024 1 0
//   unit warp_mma       1   32 1      0 1 1e-5
//   unit matrices       1   32 1   2048 1 0
//   unit tensor_store   4  128 1  17408 1 0
#include "units.h"

// ------------------------------------------------------------------- numbers

// Round to nearest even by integers; no NaN among the inputs.
EVOKE_DEVICE uint32_t rounded(float x) {
  const uint32_t bits = __float_as_uint(x);
  return (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
}
UNIT(unit_conversions) {
  const float a = in[thread()];
  const float b = in[(thread() + 1) % kInputs];
  const uint32_t pair = pack_bfloat16(a, b);
  const uint32_t other = pack_bfloat16(b, a);
  const bfloat16 single = a;
  out[4 * thread()] = single;
  out[4 * thread() + 1] = low_of(pair) - high_of(pair);
  out[4 * thread() + 2] =
      low_of(pair_of_lows(pair, other)) - high_of(pair_of_lows(pair, other));
  out[4 * thread() + 3] = low_of(pair_of_highs(pair, other)) -
                          2 * high_of(pair_of_highs(pair, other));
}
UNIT(plain_conversions) {
  const float a = __uint_as_float(rounded(in[thread()]) << 16);
  const float b = __uint_as_float(rounded(in[(thread() + 1) % kInputs]) << 16);
  out[4 * thread()] = a;
  out[4 * thread() + 1] = a - b;
  out[4 * thread() + 2] = a - b;
  out[4 * thread() + 3] = b - 2 * a;
}

UNIT(unit_exp2) {
  out[thread()] = exp2_approx(in[thread()]);
  out[kInputs + thread()] = exp2_approx(-INFINITY);
  out[2 * kInputs + thread()] = exp2_polynomial<5>(in[thread()]);
}
UNIT(plain_exp2) {
  const float y = static_cast<float>(exp2(static_cast<double>(in[thread()])));
  out[thread()] = y;
  out[2 * kInputs + thread()] = y;
}
UNIT(unit_polynomials) {
  out[thread()] = exp2_polynomial<3>(3 * in[thread()]);
  out[kInputs + thread()] = exp2_polynomial<4>(3 * in[thread()]);
  out[2 * kInputs + thread()] = exp2_polynomial<4>(-INFINITY);
}
UNIT(plain_polynomials) {
  out[thread()] = exp2f(3 * in[thread()]);
  out[kInputs + thread()] = exp2f(3 * in[thread()]);
}

UNIT(unit_reductions) {
  out[2 * thread()] = max_over_lanes<0b10100>(in[thread()]);
  out[2 * thread() + 1] = sum_over_lanes<0b00011>(in[thread()]);
  if (elect_one()) out[2 * blockDim.x * gridDim.x + thread() / kWarp] = 1;
}
UNIT(plain_reductions) {
  float greatest = -INFINITY;
  float sum = 0;
  for (int i = 0; i < 4; ++i) {
    const int lanes = (i & 1) << 2 | (i & 2) << 3;
    greatest = fmaxf(greatest, in[thread() ^ lanes]);
    sum += in[thread() ^ i];
  }
  out[2 * thread()] = greatest;
  out[2 * thread() + 1] = sum;
  if (threadIdx.x % kWarp == 0) {
    out[2 * blockDim.x * gridDim.x + thread() / kWarp] = 1;
  }
}

// ------------------------------------------------------------------ barriers

// Warp 0 hands values to warp 1 through a ring of two; 16 rounds.
UNIT(unit_ring) {
  float* const slots = reinterpret_cast<float*>(shared);
  uint64_t* const full = reinterpret_cast<uint64_t*>(shared + 1024);
  uint64_t* const empty = full + 2;
  if (threadIdx.x == 0) {
    for (int i = 0; i < 2; ++i) {
      mbarrier_init(full + i, 32);
      mbarrier_init(empty + i, 32);
    }
    mbarrier_fence_init();
  }
  __syncthreads();
  const int lane = threadIdx.x % kWarp;
  for (int round = 0; round < 16; ++round) {
    const int slot = round % 2;
    const uint32_t parity = round / 2 % 2;
    if (threadIdx.x / kWarp == 0) {
      mbarrier_wait(empty + slot, parity ^ 1);
      slots[slot * 32 + lane] = in[round * 32 + lane];
      mbarrier_arrive(full + slot);
    } else if (threadIdx.x / kWarp == 1) {
      mbarrier_wait(full + slot, parity);
      out[round * 32 + lane] = slots[slot * 32 + 31 - lane];
      mbarrier_arrive(empty + slot);
    }
  }
}
UNIT(plain_ring) {
  const int lane = threadIdx.x % kWarp;
  if (threadIdx.x >= kWarp) return;
  for (int round = 0; round < 16; ++round) {
    out[round * 32 + lane] = in[round * 32 + 31 - lane];
  }
}

// Two warpgroups hand a buffer to each other in turns.
UNIT(unit_named) {
  float* const buffer = reinterpret_cast<float*>(shared);
  const int who = threadIdx.x / kWarpgroup;
  const int i = threadIdx.x % kWarpgroup;
  if (who == 0) buffer[i] = in[i];
  for (int round = 0; round < 8; ++round) {
    if (round % 2 != who) {
      named_barrier_sync(1 + round % 2, 256);
      buffer[i] = buffer[i] + in[(i + round) % kWarpgroup];
      named_barrier_sync(3 + who, kWarpgroup);
    } else {
      named_barrier_arrive(1 + round % 2, 256);
    }
  }
  __syncthreads();
  if (who == 0) out[i] = buffer[i];
}
UNIT(plain_named) {
  const int i = threadIdx.x;
  if (i >= kWarpgroup) return;
  float x = in[i];
  for (int round = 0; round < 8; ++round) x += in[(i + round) % kWarpgroup];
  out[i] = x;
}

// Values pass between warpgroups with 24 and 240 registers.
UNIT(unit_registers) {
  float* const buffer = reinterpret_cast<float*>(shared);
  const int i = threadIdx.x % kWarpgroup;
  if (threadIdx.x < kWarpgroup) {
    release_registers<24>();
    buffer[i] = in[i];
    named_barrier_arrive(1, 256);
  } else {
    claim_registers<240>();
    named_barrier_sync(1, 256);
    float x[128];
#pragma unroll
    for (int n = 0; n < 128; ++n) x[n] = buffer[(i + n) % kWarpgroup];
    float sum = 0;
#pragma unroll
    for (int n = 0; n < 128; ++n) sum = sum * 0.5f + x[127 - n];
    out[i] = sum;
  }
}
UNIT(plain_registers) {
  if (threadIdx.x >= kWarpgroup) return;
  float sum = 0;
  for (int n = 0; n < 128; ++n) {
    sum = sum * 0.5f + in[(threadIdx.x + 127 - n) % kWarpgroup];
  }
  out[threadIdx.x] = sum;
}

// The last of all blocks adds up what the others wrote; the counter ends at 0.
UNIT(unit_tickets) {
  float* const partial = out + 1024;
  int* const counter = reinterpret_cast<int*>(out + 4096);
  partial[thread()] = in[thread()];
  __syncwarp();
  int before = 0;
  if (threadIdx.x == 0) before = add_acq_rel(counter, 1);
  before = __shfl_sync(0xffffffffu, before, 0);
  if (before != static_cast<int>(gridDim.x) - 1) return;
  float sum = 0;
  for (int b = 0; b < static_cast<int>(gridDim.x); ++b) {
    sum += load_from_l2(partial + b * blockDim.x + threadIdx.x);
  }
  const Vector16 four = load16_from_l2(partial + 4 * threadIdx.x);
  out[threadIdx.x] = sum;
  out[32 + threadIdx.x] = __uint_as_float(four.word[3]);
  if (threadIdx.x == 0) *counter = 0;
}
UNIT(plain_tickets) {
  out[1024 + thread()] = in[thread()];
  if (blockIdx.x != 0) return;
  float sum = 0;
  for (int b = 0; b < static_cast<int>(gridDim.x); ++b) {
    sum += in[b * blockDim.x + threadIdx.x];
  }
  out[threadIdx.x] = sum;
  out[32 + threadIdx.x] = in[4 * threadIdx.x + 3];
}

// Launched twice, the second time beside the first.
UNIT(unit_dependent) {
  allow_next_launch();
  wait_for_previous_launch();
  out[threadIdx.x] = 2 * out[threadIdx.x] + in[threadIdx.x];
}
UNIT(plain_dependent) {
  out[threadIdx.x] = 2 * out[threadIdx.x] + in[threadIdx.x];
}

// -------------------------------------------------------------------- copies

UNIT(unit_copy_async) {
  uint64_t* const full = reinterpret_cast<uint64_t*>(shared + 2048);
  if (threadIdx.x == 0) {
    mbarrier_init(full, blockDim.x);
    mbarrier_fence_init();
  }
  __syncthreads();
  unsigned char* const to = shared + threadIdx.x * 16;
  copy_async16(to, in + 4 * threadIdx.x, threadIdx.x % 3 != 0);
  copy_async_commit();
  copy_async_wait<0>();
  __syncthreads();
  const float* const values = reinterpret_cast<const float*>(shared);
  out[threadIdx.x] = values[(4 * threadIdx.x + 77) % 512];
  __syncthreads();
  copy_async16(to, in + 512 + 4 * threadIdx.x);
  copy_async_arrive(full);
  mbarrier_wait(full, 0);
  out[128 + threadIdx.x] = values[(4 * threadIdx.x + 77) % 512];
}
UNIT(plain_copy_async) {
  const int at = (4 * threadIdx.x + 77) % 512;
  out[threadIdx.x] = at / 4 % 3 != 0 ? in[at] : 0;
  out[128 + threadIdx.x] = in[512 + at];
}

UNIT(unit_bulk) {
  uint64_t* const full = reinterpret_cast<uint64_t*>(shared + 4096);
  float* const values = reinterpret_cast<float*>(shared);
  if (threadIdx.x == 0) {
    mbarrier_init(full, 1);
    mbarrier_fence_init();
    prefetch_bulk(in, 2048);
    mbarrier_arrive_expect(full, 2048 + 1024 + 1024);
    copy_bulk(values, in, 2048, full);
    copy_bulk(values + 512, in + 1024, 1024, full, evict_first_policy());
    copy_bulk(values + 768, in + 2048, 1024, full, evict_last_policy());
  }
  __syncthreads();
  mbarrier_wait(full, 0);
  for (int i = threadIdx.x; i < 1024; i += blockDim.x) values[i] *= 2;
  fence_async_proxy();
  __syncthreads();
  if (threadIdx.x == 0) {
    store_bulk(out, values, 4096);
    commit_stores();
    wait_stores_read<0>();
    wait_stores_done<0>();
  }
}
UNIT(plain_bulk) {
  for (int i = threadIdx.x; i < 1024; i += blockDim.x) {
    out[i] = 2 * in[i < 512 ? i : i < 768 ? i + 512 : i + 1280];
  }
}

// Boxes of 64 x 64 of which a part lies outside the matrix.
EVOKE_DEVICE int corner(int block, int dimension) {
  return ((block >> dimension & 1) != 0 ? 224 : -16);
}
EVOKE_DEVICE uint64_t* tensor_barrier(uint32_t arrivals) {
  uint64_t* const full = reinterpret_cast<uint64_t*>(shared + 16384);
  if (threadIdx.x == 0) {
    mbarrier_init(full, arrivals);
    mbarrier_fence_init();
  }
  __syncthreads();
  return full;
}
UNIT(unit_tensor_load) {
  uint64_t* const full = tensor_barrier(1);
  const int x = corner(blockIdx.x, 0);
  const int y = corner(blockIdx.x, 1);
  if (threadIdx.x == 0) {
    prefetch_map(matrix_map);
    mbarrier_arrive_expect(full, 2 * 8192);
    load_tile(shared, matrix_map, full, x, y);
    load_tile(shared + 8192, matrix_map, full, x + 8, y + 5);
  }
  mbarrier_wait(full, 0);
  for (int i = threadIdx.x; i < 2 * 64 * 64; i += blockDim.x) {
    const int row = i / 64 % 64;
    const unsigned char* const at =
        shared + i / 4096 * 8192 + swizzled_chunk(row, i % 64 / 8);
    out[blockIdx.x * 8192 + i] = reinterpret_cast<const bfloat16*>(at)[i % 8];
  }
}
UNIT(plain_tensor_load) {
  for (int i = threadIdx.x; i < 2 * 64 * 64; i += blockDim.x) {
    const int row = corner(blockIdx.x, 1) + i / 64 % 64 + i / 4096 * 5;
    const int column = corner(blockIdx.x, 0) + i % 64 + i / 4096 * 8;
    const bool inside =
        row >= 0 && row < kRows && column >= 0 && column < kColumns;
    out[blockIdx.x * 8192 + i] =
        inside ? static_cast<float>(matrix[row * kColumns + column]) : 0.0f;
  }
}

UNIT(unit_tensor_store) {
  const int x = max(corner(blockIdx.x, 0), 0);
  const int y = max(corner(blockIdx.x, 1), 0);
  for (int i = threadIdx.x; i < 64 * 64; i += blockDim.x) {
    const int row = i / 64;
    unsigned char* const at = shared + swizzled_chunk(row, i % 64 / 8);
    reinterpret_cast<bfloat16*>(at)[i % 8] = in[i];
  }
  fence_async_proxy();
  __syncthreads();
  if (threadIdx.x == 0) {
    store_tile(copy_map, shared, x, y);
    commit_stores();
    wait_stores_done<0>();
  }
}
UNIT(plain_tensor_store) {
  for (int i = threadIdx.x; i < 64 * 64; i += blockDim.x) {
    const int row = max(corner(blockIdx.x, 1), 0) + i / 64;
    const int column = max(corner(blockIdx.x, 0), 0) + i % 64;
    if (row >= 0 && row < kRows && column >= 0 && column < kColumns) {
      copy[row * kColumns + column] = in[i];
    }
  }
}

// Each of two blocks loads a half for both.
UNIT(unit_multicast) {
  uint64_t* const full = tensor_barrier(1);
  if (threadIdx.x == 0) mbarrier_arrive_expect(full, 2 * 8192);
  cluster_sync();
  const int rank = static_cast<int>(cluster_rank());
  if (threadIdx.x == 0) {
    load_tile_multicast(shared + rank * 8192, matrix_map, full, 3, 64 * rank,
                        64);
  }
  mbarrier_wait(full, 0);
  for (int i = threadIdx.x; i < 2 * 64 * 64; i += blockDim.x) {
    const unsigned char* const at =
        shared + i / 4096 * 8192 + swizzled_chunk(i / 64 % 64, i % 64 / 8);
    out[blockIdx.x * 8192 + i] = reinterpret_cast<const bfloat16*>(at)[i % 8];
  }
  cluster_sync();
}
UNIT(plain_multicast) {
  for (int i = threadIdx.x; i < 2 * 64 * 64; i += blockDim.x) {
    out[blockIdx.x * 8192 + i] =
        matrix[(64 + i / 64 % 64) * kColumns + i / 4096 * 64 + i % 64];
  }
}

// ------------------------------------------------------------------ clusters

// Reads from the next block, writes to the one after, arrives at all.
UNIT(unit_cluster) {
  float* const mine = reinterpret_cast<float*>(shared);
  float* const inbox = mine + 128;
  uint64_t* const heard = reinterpret_cast<uint64_t*>(shared + 2048);
  if (threadIdx.x == 0) {
    mbarrier_init(heard, cluster_blocks() * blockDim.x);
    mbarrier_fence_init();
  }
  mine[threadIdx.x] = in[thread()];
  cluster_sync();
  const uint32_t rank = cluster_rank();
  const uint32_t next = (rank + 1) % cluster_blocks();
  const uint32_t after = (rank + 2) % cluster_blocks();
  const float x = load_remote(remote_address(mine + threadIdx.x, next));
  store_remote(remote_address(inbox + threadIdx.x, after), x);
  for (uint32_t r = 0; r < cluster_blocks(); ++r) {
    mbarrier_arrive_remote(heard, r);
  }
  mbarrier_wait_cluster(heard, 0);
  out[thread()] = inbox[threadIdx.x];
  cluster_arrive();
  cluster_wait();
}
UNIT(plain_cluster) {
  const int from = (blockIdx.x + gridDim.x - 2 + 1) % gridDim.x;
  out[thread()] = in[from * blockDim.x + threadIdx.x];
}

// Every block sends to block 0: words, vectors and a bulk copy.
UNIT(unit_remote_async) {
  float* const inbox = reinterpret_cast<float*>(shared);  // [4][192]
  float* const mine = inbox + 4 * 192;
  uint64_t* const full = reinterpret_cast<uint64_t*>(mine + 64);
  if (threadIdx.x == 0) {
    mbarrier_init(full, 1);
    mbarrier_fence_init();
    mbarrier_arrive_expect(full, 4 * 192 * 4);
  }
  if (threadIdx.x < 64) mine[threadIdx.x] = in[thread()];
  fence_async_proxy();
  __syncthreads();
  cluster_arrive_relaxed();
  cluster_wait();
  const int rank = static_cast<int>(cluster_rank());
  float* const to = inbox + rank * 192;
  const uint32_t barrier = remote_address(full, 0);
  if (threadIdx.x < 64) {
    store_remote_async(remote_address(to + threadIdx.x, 0), in[thread()],
                       barrier);
  } else if (threadIdx.x < 80) {
    const int i = threadIdx.x - 64;
    Vector16 four;
    for (int n = 0; n < 4; ++n) {
      four.word[n] =
          __float_as_uint(2 * in[blockIdx.x * blockDim.x + 4 * i + n]);
    }
    store_remote_async(remote_address(to + 64 + 4 * i, 0), four, barrier);
  } else if (threadIdx.x == 80) {
    copy_bulk_remote(remote_address(to + 128, 0), mine, 256, barrier);
  }
  if (rank == 0) {
    mbarrier_wait_cluster(full, 0);
    for (int i = threadIdx.x; i < 4 * 192; i += blockDim.x) out[i] = inbox[i];
  }
  cluster_sync();
}
UNIT(plain_remote_async) {
  if (blockIdx.x != 0) return;
  for (int i = threadIdx.x; i < 4 * 192; i += blockDim.x) {
    const float x = in[i / 192 * blockDim.x + i % 64];
    out[i] = i % 192 / 64 == 1 ? 2 * x : x;
  }
}

// -------------------------------------------------------- tensor cores, warp

UNIT(unit_warp_mma) {
  const int g = threadIdx.x / 4;
  const int t = threadIdx.x % 4;
  const auto pair = [&](int row, int column) {
    return *reinterpret_cast<const uint32_t*>(matrix + row * kColumns + column);
  };
  float d[4];
  for (int e = 0; e < 4; ++e) d[e] = in[(g + e / 2 * 8) * 8 + 2 * t + e % 2];
  mma_16x8x16(d, pair(g, 2 * t), pair(g + 8, 2 * t), pair(g, 2 * t + 8),
              pair(g + 8, 2 * t + 8), pair(32 + g, 2 * t),
              pair(32 + g, 2 * t + 8));
  for (int e = 0; e < 4; ++e) out[(g + e / 2 * 8) * 8 + 2 * t + e % 2] = d[e];
}
UNIT(plain_warp_mma) {
  for (int i = threadIdx.x; i < 128; i += kWarp) {
    float sum = in[i];
    for (int k = 0; k < 16; ++k) {
      sum += static_cast<float>(matrix[i / 8 * kColumns + k]) *
             static_cast<float>(matrix[(32 + i % 8) * kColumns + k]);
    }
    out[i] = sum;
  }
}

// ldmatrix, its transposed form, stmatrix and movmatrix on four matrices.
UNIT(unit_matrices) {
  const int lane = threadIdx.x;
  bfloat16* const tiles = reinterpret_cast<bfloat16*>(shared);  // [4][8][8]
  for (int i = lane; i < 256; i += kWarp) {
    tiles[i] = matrix[i / 8 * kColumns + i % 8];
  }
  __syncwarp();
  const uint32_t row = shared_address(tiles + lane * 8);
  uint32_t m[4];
  uint32_t transposed[4];
  load_matrices(m, row);
  load_matrices_transposed(transposed, row);
  for (int i = 0; i < 4; ++i) {
    const uint32_t same = transpose_matrix(m[i]);
    out[(i * 32 + lane) * 4] = low_of(m[i]);
    out[(i * 32 + lane) * 4 + 1] = high_of(m[i]);
    out[(i * 32 + lane) * 4 + 2] = low_of(transposed[i]) - low_of(same);
    out[(i * 32 + lane) * 4 + 3] = high_of(transposed[i]);
  }
  __syncwarp();
  store_matrices(row, transposed[3], transposed[2], transposed[1],
                 transposed[0]);
  __syncwarp();
  for (int i = lane; i < 256; i += kWarp) out[512 + i] = tiles[i];
}
UNIT(plain_matrices) {
  const auto at = [&](int m, int row, int column) {
    return static_cast<float>(matrix[(m * 8 + row) * kColumns + column]);
  };
  for (int i = threadIdx.x; i < 128; i += kWarp) {
    const int g = i % 32 / 4;
    const int t = i % 4;
    out[i * 4] = at(i / 32, g, 2 * t);
    out[i * 4 + 1] = at(i / 32, g, 2 * t + 1);
    out[i * 4 + 2] = 0;
    out[i * 4 + 3] = at(i / 32, 2 * t + 1, g);
  }
  for (int i = threadIdx.x; i < 256; i += kWarp) {
    out[512 + i] = at(3 - i / 64, i % 8, i % 64 / 8);
  }
}
