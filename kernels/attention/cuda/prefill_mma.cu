/*evoke
problem = "attention"
summary = "prefill by mma.sync: tiles of queries in registers, keys and values by cp.async through shared memory"

[parameters]
stages = { value = 2, choices = [1, 2, 3] }
tile_kv = { value = 64, choices = [32, 64, 128] }
warps = { value = 4, choices = [2, 4, 8] }
longest_first = { value = 1, choices = [0, 1] }
constraints = ["D % 64 == 0", "Hq % Hkv == 0", "stages * tile_kv * D * 4 <= max_threadgroup_memory"]

[[variant]]
name = "prefill"
[[variant.launch]]
kernel = "attend"
reads = ["query", "key", "value"]
writes = ["output"]
threadgroups = ["ceil_div(Lq, 16 * warps)", "Hq", "B"]
threads = ["warps * 32", 1, 1]
dynamic_memory = "stages * tile_kv * D * 4"
evoke*/

// Each warp has 16 queries of a head in registers, as the left operand of
// mma.sync, and goes over the keys that they see in tiles of tile_kv, which the
// block brings in by cp.async, `stages` tiles ahead. Scores stay in registers:
// packed in pairs they are the left operand of the product with V. Rows of 128
// bytes are swizzled, 16 bytes by the row's number modulo 8.
//
// Genes: warps           16 queries each
//        tile_kv, stages keys per tile, tiles in shared memory
//        longest_first   blocks with most keys start first

// EVOLVE-BLOCK-START
constexpr int kTileQ = 16 * warps;
constexpr int kThreads = warps * kWarp;
constexpr int kSteps = D / 16;
constexpr uint32_t kPanel = tile_kv * 128;          // bytes; 64 columns
constexpr uint32_t kTile = D / 64 * kPanel;         // of keys, or of values

// Rows [first, first + tile_kv) of a tensor; beyond `rows` zeros.
EVOKE_DEVICE void copy_tile(unsigned char* to, const bfloat16* from,
                            int64_t stride, int first, int rows) {
  constexpr int kChunks = D / 8;
#pragma unroll
  for (int i = 0; i < tile_kv * kChunks / kThreads; ++i) {
    const int n = i * kThreads + threadIdx.x;
    const int row = n / kChunks;
    const int chunk = n % kChunks;
    const bool inside = first + row < rows;
    copy_async16(to + chunk / 8 * kPanel + swizzled_chunk(row, chunk % 8),
                 from + (inside ? first + row : 0) * stride + chunk * 8,
                 inside);
  }
}

KERNEL(attend) {
  const int blocks_q = gridDim.x;
  const int block = longest_first != 0 ? blocks_q - 1 - blockIdx.x : blockIdx.x;
  const int head = blockIdx.y;
  const int b = blockIdx.z;
  const int of_head = head / (Hq / Hkv);
  const int warp = threadIdx.x / kWarp;
  const int lane = threadIdx.x % kWarp;
  const int g = lane / 4;
  const int t = lane % 4;
  const int first_row = block * kTileQ + warp * 16;
  const bfloat16* const keys =
      key + b * key_strides[0] + of_head * key_strides[1];
  const bfloat16* const values =
      value + b * value_strides[0] + of_head * value_strides[1];
  unsigned char* const key_tiles = threadgroup_memory;
  unsigned char* const value_tiles = threadgroup_memory + stages * kTile;

  const int end_row = min(block * kTileQ + kTileQ, Lq);
  const int seen = causal ? max(0, min(Lk, Lk - Lq + end_row)) : Lk;
  const int tiles = (seen + tile_kv - 1) / tile_kv;

  // Tile n of keys and of values are two groups of copies.
  const auto fetch = [&](int n) {
    if (n < tiles) {
      copy_tile(key_tiles + n % stages * kTile, keys, key_strides[2],
                n * tile_kv, Lk);
    }
    copy_async_commit();
    if (n < tiles) {
      copy_tile(value_tiles + n % stages * kTile, values, value_strides[2],
                n * tile_kv, Lk);
    }
    copy_async_commit();
  };
#pragma unroll
  for (int n = 0; n < stages; ++n) fetch(n);

  // Rows beyond the last are read again and not written.
  uint32_t q[kSteps][4];
  const bfloat16* rows[2];
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    const int i = min(first_row + g + 8 * r, Lq - 1);
    rows[r] = query + b * query_strides[0] + head * query_strides[1] +
              i * query_strides[2] + 2 * t;
  }
#pragma unroll
  for (int s = 0; s < kSteps; ++s) {
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      q[s][e] = *reinterpret_cast<const uint32_t*>(rows[e % 2] + s * 16 +
                                                   e / 2 * 8);
    }
  }

  const float log2_scale = scale * kLog2E;
  float out[D / 8][4] = {};
  float greatest[2] = {-INFINITY, -INFINITY};
  float sum[2] = {0, 0};
  for (int n = 0; n < tiles; ++n) {
    copy_async_wait<2 * stages - 1>();
    __syncthreads();
    const uint32_t k_tile = shared_address(key_tiles + n % stages * kTile);
    const uint32_t v_tile = shared_address(value_tiles + n % stages * kTile);
    float scores[tile_kv / 8][4] = {};
#pragma unroll
    for (int j = 0; j < tile_kv / 16; ++j) {
#pragma unroll
      for (int s = 0; s < kSteps; ++s) {
        // Keys 16j .. 16j + 15, columns 16s .. 16s + 15: two right operands.
        uint32_t k[4];
        load_matrices(k, k_tile + s / 4 * kPanel +
                             swizzled_chunk(16 * j + lane % 8 + lane / 16 * 8,
                                            s % 4 * 2 + lane / 8 % 2));
        const uint32_t(&a)[4] = q[s];
        mma_16x8x16(scores[2 * j], a[0], a[1], a[2], a[3], k[0], k[1]);
        mma_16x8x16(scores[2 * j + 1], a[0], a[1], a[2], a[3], k[2], k[3]);
      }
    }
    const int common = causal ? min(Lk, Lk - Lq + first_row + 1) : Lk;
    if ((n + 1) * tile_kv > common) {
#pragma unroll
      for (int j = 0; j < tile_kv / 8; ++j) {
#pragma unroll
        for (int e = 0; e < 4; ++e) {
          const int i = first_row + g + e / 2 * 8;
          const int visible = causal ? min(Lk, Lk - Lq + i + 1) : Lk;
          if (n * tile_kv + 8 * j + 2 * t + e % 2 >= visible) {
            scores[j][e] = -INFINITY;
          }
        }
      }
    }
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      float top = greatest[r];
#pragma unroll
      for (int j = 0; j < tile_kv / 8; ++j) {
        top = fmaxf(top, fmaxf(scores[j][2 * r], scores[j][2 * r + 1]));
      }
      top = max_over_lanes<0b11>(top);
      const float base = top == -INFINITY ? 0.0f : top * log2_scale;
      const float correction = exp2_approx(greatest[r] * log2_scale - base);
      greatest[r] = top;
      sum[r] *= correction;
#pragma unroll
      for (int j = 0; j < tile_kv / 8; ++j) {
#pragma unroll
        for (int e = 0; e < 2; ++e) {
          float& x = scores[j][2 * r + e];
          x = exp2_approx(__fmaf_rn(x, log2_scale, -base));
          sum[r] += x;
        }
      }
#pragma unroll
      for (int j = 0; j < D / 8; ++j) {
        out[j][2 * r] *= correction;
        out[j][2 * r + 1] *= correction;
      }
    }
    copy_async_wait<2 * stages - 2>();
    __syncthreads();
#pragma unroll
    for (int s = 0; s < tile_kv / 16; ++s) {
      const uint32_t p0 = pack_bfloat16(scores[2 * s][0], scores[2 * s][1]);
      const uint32_t p1 = pack_bfloat16(scores[2 * s][2], scores[2 * s][3]);
      const uint32_t p2 =
          pack_bfloat16(scores[2 * s + 1][0], scores[2 * s + 1][1]);
      const uint32_t p3 =
          pack_bfloat16(scores[2 * s + 1][2], scores[2 * s + 1][3]);
#pragma unroll
      for (int j = 0; j < D / 16; ++j) {
        // Keys 16s .. 16s + 15, columns 16j .. 16j + 15: two right operands.
        uint32_t v[4];
        load_matrices_transposed(
            v, v_tile + j / 4 * kPanel +
                   swizzled_chunk(16 * s + lane % 16, j % 4 * 2 + lane / 16));
        mma_16x8x16(out[2 * j], p0, p1, p2, p3, v[0], v[1]);
        mma_16x8x16(out[2 * j + 1], p0, p1, p2, p3, v[2], v[3]);
      }
    }
    __syncthreads();
    fetch(n + stages);
  }

#pragma unroll
  for (int r = 0; r < 2; ++r) {
    const float total = sum_over_lanes<0b11>(sum[r]);
    const float inverse = total > 0 ? 1.0f / total : 0.0f;
    const int i = first_row + g + 8 * r;
    if (i >= Lq) continue;
    bfloat16* const row = output + b * output_strides[0] +
                          head * output_strides[1] + i * output_strides[2] +
                          2 * t;
#pragma unroll
    for (int j = 0; j < D / 8; ++j) {
      *reinterpret_cast<uint32_t*>(row + 8 * j) = pack_bfloat16(
          out[j][2 * r] * inverse, out[j][2 * r + 1] * inverse);
    }
  }
}
// EVOLVE-BLOCK-END
