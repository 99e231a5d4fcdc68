/*evoke
problem = "attention"
summary = "decode: the keys of a head split over the blocks of a cluster; one warp streams tiles of keys and values through a ring"

[parameters]
cluster_size = { value = 8, choices = [1, 2, 4, 8] }
evict = { value = 1, choices = [0, 1, 2] }
groups = { value = 1, choices = [1, 2, 3, 4, 8, 16] }
min_resident = { value = 1, choices = [1, 2] }
promotion = { value = 0, choices = [0, 64, 128, 256] }
queries = { value = 1, choices = [1, 2, 4, 8] }
stages = { value = 2, choices = [2, 3, 4, 6] }
tiles = { value = 1, choices = [1, 2] }
warps = { value = 8, choices = [4, 8, 12] }
constraints = ["D == 128", "Hq % Hkv == 0", "queries * (Hq / Hkv) <= 8", "warps * tiles <= 16", "warps * stages * tiles * 8192 + (warps + cluster_size) * align_up(queries * (Hq / Hkv) * (D + 2) * 4, 16) + 2048 <= max_threadgroup_memory / min_resident"]

[scratch]
partial_output = { type = "float32", shape = ["B", "Hkv", "groups", "queries * (Hq / Hkv)", "D"] }
partial_sums = { type = "float32", shape = ["B", "Hkv", "groups", "queries * (Hq / Hkv)", "2"] }
tickets = { type = "int32", shape = ["B", "Hkv"], init = "zero", self_reset = true }

[tensor_map.key_map]
tensor = "key"
box = [64, "warps * tiles * 16", 1, 1]
swizzle = 128
l2_promotion = "promotion"
[tensor_map.value_map]
tensor = "value"
box = [64, "warps * tiles * 16", 1, 1]
swizzle = 128
l2_promotion = "promotion"

[[variant]]
name = "short"
when = "Lq == 1 && Hq / Hkv <= 8 && Lk <= 512 && B * Hkv <= 30"
parameters = { cluster_size = 4, warps = 4 }
[[variant.launch]]
kernel = "attend"
reads = ["query", "key", "value"]
writes = ["output", "partial_output", "partial_sums", "tickets"]
tensor_maps = ["key_map", "value_map"]
threadgroups = ["cluster_size * groups", "Hkv", "B"]
threads = ["warps * 32 + 32", 1, 1]
cluster = ["cluster_size", 1, 1]
min_blocks = "min_resident"
dynamic_memory = "warps * stages * tiles * 8192 + (warps + cluster_size) * align_up(queries * (Hq / Hkv) * (D + 2) * 4, 16) + stages * 32 + 64"

[[variant]]
name = "eight-1k"
when = "Lq == 1 && Hq / Hkv <= 8 && B * Hkv <= 15 && Lk <= 2048"
parameters = { cluster_size = 8, tiles = 2, warps = 4 }
[[variant.launch]]
kernel = "attend"
reads = ["query", "key", "value"]
writes = ["output", "partial_output", "partial_sums", "tickets"]
tensor_maps = ["key_map", "value_map"]
threadgroups = ["cluster_size * groups", "Hkv", "B"]
threads = ["warps * 32 + 32", 1, 1]
cluster = ["cluster_size", 1, 1]
min_blocks = "min_resident"
dynamic_memory = "warps * stages * tiles * 8192 + (warps + cluster_size) * align_up(queries * (Hq / Hkv) * (D + 2) * 4, 16) + stages * 32 + 64"

[[variant]]
name = "eight"
when = "Lq == 1 && Hq / Hkv <= 8 && B * Hkv <= 15"
parameters = { cluster_size = 8 }
[[variant.launch]]
kernel = "attend"
reads = ["query", "key", "value"]
writes = ["output", "partial_output", "partial_sums", "tickets"]
tensor_maps = ["key_map", "value_map"]
threadgroups = ["cluster_size * groups", "Hkv", "B"]
threads = ["warps * 32 + 32", 1, 1]
cluster = ["cluster_size", 1, 1]
min_blocks = "min_resident"
dynamic_memory = "warps * stages * tiles * 8192 + (warps + cluster_size) * align_up(queries * (Hq / Hkv) * (D + 2) * 4, 16) + stages * 32 + 64"

[[variant]]
name = "four"
when = "Lq == 1 && Hq / Hkv <= 8 && B * Hkv <= 30"
parameters = { cluster_size = 4 }
[[variant.launch]]
kernel = "attend"
reads = ["query", "key", "value"]
writes = ["output", "partial_output", "partial_sums", "tickets"]
tensor_maps = ["key_map", "value_map"]
threadgroups = ["cluster_size * groups", "Hkv", "B"]
threads = ["warps * 32 + 32", 1, 1]
cluster = ["cluster_size", 1, 1]
min_blocks = "min_resident"
dynamic_memory = "warps * stages * tiles * 8192 + (warps + cluster_size) * align_up(queries * (Hq / Hkv) * (D + 2) * 4, 16) + stages * 32 + 64"

[[variant]]
name = "two"
when = "Lq == 1 && Hq / Hkv <= 8 && B * Hkv <= 66"
parameters = { cluster_size = 2 }
[[variant.launch]]
kernel = "attend"
reads = ["query", "key", "value"]
writes = ["output", "partial_output", "partial_sums", "tickets"]
tensor_maps = ["key_map", "value_map"]
threadgroups = ["cluster_size * groups", "Hkv", "B"]
threads = ["warps * 32 + 32", 1, 1]
cluster = ["cluster_size", 1, 1]
min_blocks = "min_resident"
dynamic_memory = "warps * stages * tiles * 8192 + (warps + cluster_size) * align_up(queries * (Hq / Hkv) * (D + 2) * 4, 16) + stages * 32 + 64"

[[variant]]
name = "one"
when = "Lq == 1 && Hq / Hkv <= 8"
parameters = { cluster_size = 1, min_resident = 2, stages = 3, warps = 4 }
[[variant.launch]]
kernel = "attend"
reads = ["query", "key", "value"]
writes = ["output", "partial_output", "partial_sums", "tickets"]
tensor_maps = ["key_map", "value_map"]
threadgroups = ["cluster_size * groups", "Hkv", "B"]
threads = ["warps * 32 + 32", 1, 1]
cluster = ["cluster_size", 1, 1]
min_blocks = "min_resident"
dynamic_memory = "warps * stages * tiles * 8192 + (warps + cluster_size) * align_up(queries * (Hq / Hkv) * (D + 2) * 4, 16) + stages * 32 + 64"

[[variant]]
name = "few-queries"
when = "Lq <= 4 && Hq / Hkv <= 2"
parameters = { cluster_size = 4, queries = 4 }
[[variant.launch]]
kernel = "attend"
reads = ["query", "key", "value"]
writes = ["output", "partial_output", "partial_sums", "tickets"]
tensor_maps = ["key_map", "value_map"]
threadgroups = ["cluster_size * groups", "Hkv", "B"]
threads = ["warps * 32 + 32", 1, 1]
cluster = ["cluster_size", 1, 1]
min_blocks = "min_resident"
dynamic_memory = "warps * stages * tiles * 8192 + (warps + cluster_size) * align_up(queries * (Hq / Hkv) * (D + 2) * 4, 16) + stages * 32 + 64"
evoke*/

// As decode_split_kv.cu, with another way for keys and values: a producer warp
// brings tiles of `warps` * `tiles` * 16 keys and as many values into a ring of
// `stages` by tensor copies (swizzled by 128 bytes, zeros beyond the last key),
// of which each warp takes its rows.
//
// Genes: warps, stages, tiles   warps * stages * tiles * 8 KB are on their way
//        cluster_size, groups   blocks per key head, by cluster and by ticket
//        min_resident           blocks per SM that registers are limited for
//        evict                  policy of keys and values in L2: 0 as usual,
//                               1 evicted first, 2 with their order left alone
//        promotion              bytes that L2 reads at least
//
// Clusters: at one block per SM an H200 holds 15 clusters of 8, 30 of 4 and 66
// of 2, which is what the variants go by.

// EVOLVE-BLOCK-START
constexpr int kHeads = Hq / Hkv;
constexpr int kColumns = queries * kHeads;  // of 8
constexpr int kTile = 16;                   // keys
constexpr int kMine = kTile * tiles;        // keys of a unit for one warp
constexpr int kUnit = kMine * warps;  // keys that the block takes at a time

// What is known of one column (a query of a head): the greatest score in units
// of log2, the sum of exponentials relative to it, and the weighted values.
struct alignas(16) Partial {
  float output[kColumns][D];
  float greatest[kColumns];
  float sum[kColumns];
};
constexpr uint32_t kPartialBytes = kColumns * (D + 2) * 4;  // without padding

constexpr uint32_t kPanel = kUnit * 128;  // bytes; 64 columns
constexpr uint32_t kStage = 4 * kPanel;   // keys, then values

struct Ring {
  uint64_t key_full[stages];
  uint64_t value_full[stages];
  uint64_t key_empty[stages];
  uint64_t value_empty[stages];
};

EVOKE_DEVICE Vector16 load_shared(const unsigned char* address) {
  return *reinterpret_cast<const Vector16*>(address);
}

// The sum of `count` partials for four values of one column; greatest and sum
// of the result are returned by reference.
template <int count>
EVOKE_DEVICE float4 merged(const Partial* parts, int column, int d,
                           float& greatest, float& sum) {
  greatest = -INFINITY;
#pragma unroll
  for (int i = 0; i < count; ++i) {
    greatest = fmaxf(greatest, parts[i].greatest[column]);
  }
  const float base = greatest == -INFINITY ? 0.0f : greatest;
  sum = 0;
  float4 out = {0, 0, 0, 0};
#pragma unroll
  for (int i = 0; i < count; ++i) {
    const float weight = exp2_approx(parts[i].greatest[column] - base);
    const float4 o =
        *reinterpret_cast<const float4*>(&parts[i].output[column][d]);
    sum += weight * parts[i].sum[column];
    out.x += weight * o.x;
    out.y += weight * o.y;
    out.z += weight * o.z;
    out.w += weight * o.w;
  }
  return out;
}

KERNEL(attend) {
  const int part = blockIdx.x;
  const int group = blockIdx.y;
  const int b = blockIdx.z;
  const int warp = threadIdx.x / kWarp;
  const int g = threadIdx.x % kWarp / 4;
  const int t = threadIdx.x % 4;
  const int columns = Lq * kHeads;

  Partial* const of_warps =
      reinterpret_cast<Partial*>(threadgroup_memory + stages * kStage);
  Partial* const of_blocks = of_warps + warps;
  uint64_t* const arrived =
      reinterpret_cast<uint64_t*>(of_blocks + cluster_size);
  Ring& ring = *reinterpret_cast<Ring*>(arrived + 1);
  int* const ticket = reinterpret_cast<int*>(&ring + 1);

  // This block's units. Unsigned: exact for any number of keys.
  constexpr uint32_t kParts = cluster_size * groups;
  const uint32_t units = (Lk + kUnit - 1) / kUnit;
  const int first = units * part / kParts;
  const int last = units * (part + 1) / kParts;

  // One lane of the last warp makes the barriers and issues all copies. The
  // first ones go before anybody else knows of the barriers.
  const bool producer = warp == warps && threadIdx.x % kWarp == 0;
  int unit_ahead = first;
  int slot_ahead = 0;
  const auto issue_copies = [&](auto wait_for) {
    const uint64_t policy = evict == 1   ? evict_first_policy()
                            : evict == 2 ? evict_unchanged_policy()
                                         : evict_normal_policy();
    const int row = unit_ahead * kUnit;
    unsigned char* const keys = threadgroup_memory + slot_ahead * kStage;
    unsigned char* const values = keys + 2 * kPanel;
    wait_for(ring.key_empty[slot_ahead]);
    uint64_t* full = &ring.key_full[slot_ahead];
    mbarrier_arrive_expect(full, 2 * kPanel);
    load_tile(keys, key_map, full, 0, row, group, b, policy);
    load_tile(keys + kPanel, key_map, full, 64, row, group, b, policy);
    wait_for(ring.value_empty[slot_ahead]);
    full = &ring.value_full[slot_ahead];
    mbarrier_arrive_expect(full, 2 * kPanel);
    load_tile(values, value_map, full, 0, row, group, b, policy);
    load_tile(values + kPanel, value_map, full, 64, row, group, b, policy);
    ++unit_ahead;
    slot_ahead = slot_ahead + 1 == stages ? 0 : slot_ahead + 1;
  };
  if (producer) {
    for (int i = 0; i < stages; ++i) {
      mbarrier_init(&ring.key_full[i], 1);
      mbarrier_init(&ring.value_full[i], 1);
      mbarrier_init(&ring.key_empty[i], warps);
      mbarrier_init(&ring.value_empty[i], warps);
    }
    if constexpr (cluster_size > 1) mbarrier_init(arrived, 1);
    mbarrier_fence_init();
    if constexpr (cluster_size > 1) {
      mbarrier_arrive_expect(arrived, cluster_size * kPartialBytes);
    }
#pragma unroll
    for (int i = 0; i < stages; ++i) {
      if (unit_ahead < last) issue_copies([](uint64_t&) {});
    }
  }
  __syncthreads();
  if constexpr (cluster_size > 1) cluster_arrive_relaxed();

  if (warp == warps) {
    if (producer) {
      uint32_t parity = 0;
      while (unit_ahead < last) {
        issue_copies([&](uint64_t& empty) { mbarrier_wait(&empty, parity); });
        if (slot_ahead == 0) parity ^= 1;
      }
    }
    __syncwarp();
  }

  // Column g, in the order of the keys' fragments: chunks 2t and 2t + 1 of
  // 8 values, in either panel.
  Vector16 q[4];
#pragma unroll
  for (int c = 0; c < 4; ++c) q[c] = Vector16{0, 0, 0, 0};
  if (warp < warps && g < columns) {
    const bfloat16* const row =
        query + b * query_strides[0] +
        (group * kHeads + g % kHeads) * query_strides[1] +
        g / kHeads * query_strides[2] + t * 16;
#pragma unroll
    for (int c = 0; c < 4; ++c) {
      q[c] = load_once(row + c / 2 * 64 + c % 2 * 8);
    }
  }

  // o[j]: rows (value columns) 8g + j and 64 + 8g + j, columns 2t and 2t + 1.
  float o[8][4] = {};
  float greatest[2] = {-INFINITY, -INFINITY};
  float sum[2] = {0, 0};
  const float log2_scale = scale * kLog2E;

  int slot = 0;
  uint32_t parity = 0;
  for (int unit = warp < warps ? first : last; unit < last; ++unit) {
    const unsigned char* const stage = threadgroup_memory + slot * kStage;
    const int mine = warp * kMine;  // rows of the unit
    // k[i][r]: row g + 8r of tile i, chunks 2t and 2t + 1 of both panels.
    Vector16 k[tiles][2][4];
    mbarrier_wait(&ring.key_full[slot], parity);
#pragma unroll
    for (int i = 0; i < tiles; ++i) {
#pragma unroll
      for (int r = 0; r < 2; ++r) {
#pragma unroll
        for (int c = 0; c < 4; ++c) {
          k[i][r][c] = load_shared(
              stage + c / 2 * kPanel +
              swizzled_chunk(mine + i * kTile + g + 8 * r, 2 * t + c % 2));
        }
      }
    }
    __syncwarp();
    if (threadIdx.x % kWarp == 0) mbarrier_arrive(&ring.key_empty[slot]);
    float s[tiles][4];
#pragma unroll
    for (int i = 0; i < tiles; ++i) {
      float even[4] = {};
      float odd[4] = {};
#pragma unroll
      for (int c = 0; c < 4; ++c) {
        const Vector16& upper = k[i][0][c];
        const Vector16& lower = k[i][1][c];
        mma_16x8x16(even, upper.word[0], lower.word[0], upper.word[1],
                    lower.word[1], q[c].word[0], q[c].word[1]);
        mma_16x8x16(odd, upper.word[2], lower.word[2], upper.word[3],
                    lower.word[3], q[c].word[2], q[c].word[3]);
      }
#pragma unroll
      for (int e = 0; e < 4; ++e) s[i][e] = (even[e] + odd[e]) * log2_scale;
    }

    // Keys beyond what a column sees. Column 2t + e % 2, row g + e / 2 * 8.
    if ((unit + 1) * kUnit > (causal ? Lk - Lq + 1 : Lk)) {
#pragma unroll
      for (int i = 0; i < tiles; ++i) {
#pragma unroll
        for (int e = 0; e < 4; ++e) {
          const int j = unit * kUnit + mine + i * kTile + g + e / 2 * 8;
          const int at = (2 * t + e % 2) / kHeads;
          const int visible = causal ? min(Lk - Lq + 1 + at, Lk) : Lk;
          if (j >= visible) s[i][e] = -INFINITY;
        }
      }
    }
    float correction[2];
    float base[2];
#pragma unroll
    for (int e = 0; e < 2; ++e) {
      float top = greatest[e];
#pragma unroll
      for (int i = 0; i < tiles; ++i) {
        top = fmaxf(top, fmaxf(s[i][e], s[i][e + 2]));
      }
      top = max_over_lanes<0b11100>(top);
      base[e] = top == -INFINITY ? 0.0f : top;
      correction[e] = exp2_approx(greatest[e] - base[e]);
      greatest[e] = top;
      sum[e] *= correction[e];
    }
    uint32_t p[tiles][2];
#pragma unroll
    for (int i = 0; i < tiles; ++i) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        s[i][e] = exp2_approx(s[i][e] - base[e % 2]);
        sum[e % 2] += s[i][e];
      }
      p[i][0] = transpose_matrix(pack_bfloat16(s[i][0], s[i][1]));
      p[i][1] = transpose_matrix(pack_bfloat16(s[i][2], s[i][3]));
    }
#pragma unroll
    for (int j = 0; j < 8; ++j) {
#pragma unroll
      for (int e = 0; e < 4; ++e) o[j][e] *= correction[e % 2];
    }
    // v[i][r]: row 2t + {0, 1, 8, 9} of tile i, chunk g of both panels.
    Vector16 v[tiles][4][2];
    mbarrier_wait(&ring.value_full[slot], parity);
#pragma unroll
    for (int i = 0; i < tiles; ++i) {
#pragma unroll
      for (int r = 0; r < 4; ++r) {
        const unsigned char* const row =
            stage + 2 * kPanel +
            swizzled_chunk(mine + i * kTile + 2 * t + r % 2 + r / 2 * 8, g);
        v[i][r][0] = load_shared(row);
        v[i][r][1] = load_shared(row + kPanel);
      }
    }
    __syncwarp();
    if (threadIdx.x % kWarp == 0) mbarrier_arrive(&ring.value_empty[slot]);
#pragma unroll
    for (int i = 0; i < tiles; ++i) {
#pragma unroll
      for (int w = 0; w < 4; ++w) {
        const auto word = [&](int r, int half) {
          return v[i][r][half].word[w];
        };
        mma_16x8x16(o[2 * w], pair_of_lows(word(0, 0), word(1, 0)),
                    pair_of_lows(word(0, 1), word(1, 1)),
                    pair_of_lows(word(2, 0), word(3, 0)),
                    pair_of_lows(word(2, 1), word(3, 1)), p[i][0], p[i][1]);
        mma_16x8x16(o[2 * w + 1], pair_of_highs(word(0, 0), word(1, 0)),
                    pair_of_highs(word(0, 1), word(1, 1)),
                    pair_of_highs(word(2, 0), word(3, 0)),
                    pair_of_highs(word(2, 1), word(3, 1)), p[i][0], p[i][1]);
      }
    }
    if (++slot == stages) {
      slot = 0;
      parity ^= 1;
    }
  }

  // The warps of the block.
#pragma unroll
  for (int e = 0; e < 2; ++e) {
    sum[e] = sum_over_lanes<0b11100>(sum[e]);
    const int column = 2 * t + e;
    if (warp < warps && column < kColumns) {
      Partial& mine = of_warps[warp];
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float4* const out =
            reinterpret_cast<float4*>(&mine.output[column][half * 64 + g * 8]);
        const int at = e + 2 * half;
        out[0] = float4{o[0][at], o[1][at], o[2][at], o[3][at]};
        out[1] = float4{o[4][at], o[5][at], o[6][at], o[7][at]};
      }
      if (g == 0) {
        mine.greatest[column] = greatest[e];
        mine.sum[column] = sum[e];
      }
    }
  }
  __syncthreads();
  if constexpr (cluster_size > 1) cluster_wait();

  constexpr int kVectors = kColumns * D / 4;
  const int rank = cluster_size > 1 ? part % cluster_size : 0;
  const auto write = [&](int column, int d, float4 o4, float total) {
    if (column >= columns) return;
    const float inverse = total > 0 ? 1.0f / total : 0.0f;
    bfloat16* const out =
        output + b * output_strides[0] +
        (group * kHeads + column % kHeads) * output_strides[1] +
        column / kHeads * output_strides[2] + d;
    uint2 words;
    words.x = pack_bfloat16(o4.x * inverse, o4.y * inverse);
    words.y = pack_bfloat16(o4.z * inverse, o4.w * inverse);
    *reinterpret_cast<uint2*>(out) = words;
  };
  const int64_t place =
      ((int64_t{b} * Hkv + group) * groups + part / cluster_size) * kColumns;
  const auto publish = [&](int column, int d, float4 o4, float top,
                           float total) {
    if constexpr (groups == 1) {
      write(column, d, o4, total);
    } else {
      *reinterpret_cast<float4*>(partial_output + (place + column) * D + d) =
          o4;
      if (d == 0) {
        partial_sums[(place + column) * 2] = top;
        partial_sums[(place + column) * 2 + 1] = total;
      }
    }
  };

  for (int i = threadIdx.x; i < kVectors; i += blockDim.x) {
    const int column = i / (D / 4);
    const int d = i % (D / 4) * 4;
    float top;
    float total;
    const float4 o4 = merged<warps>(of_warps, column, d, top, total);
    if constexpr (cluster_size == 1) {
      publish(column, d, o4, top, total);
    } else {
      const uint32_t barrier = remote_address(arrived, 0);
      const Partial& there = of_blocks[rank];
      store_remote_async(remote_address(&there.output[column][d], 0),
                         Vector16{__float_as_uint(o4.x), __float_as_uint(o4.y),
                                  __float_as_uint(o4.z), __float_as_uint(o4.w)},
                         barrier);
      if (d == 0) {
        store_remote_async(remote_address(&there.greatest[column], 0), top,
                           barrier);
        store_remote_async(remote_address(&there.sum[column], 0), total,
                           barrier);
      }
    }
  }
  if constexpr (cluster_size > 1) {
    if (rank != 0) return;
    mbarrier_wait_cluster(arrived, 0);
    for (int i = threadIdx.x; i < kVectors; i += blockDim.x) {
      const int column = i / (D / 4);
      const int d = i % (D / 4) * 4;
      float top;
      float total;
      const float4 o4 = merged<cluster_size>(of_blocks, column, d, top, total);
      publish(column, d, o4, top, total);
    }
  }

  // The clusters of the head: the last to arrive adds up.
  if constexpr (groups > 1) {
    __syncthreads();
    if (threadIdx.x == 0) {
      int* const counter = tickets + b * Hkv + group;
      const int before = add_acq_rel(counter, 1);
      *ticket = before;
      if (before == groups - 1) *counter = 0;
    }
    __syncthreads();
    if (*ticket != groups - 1) return;
    const int64_t base = (int64_t{b} * Hkv + group) * groups * kColumns;
    for (int i = threadIdx.x; i < kVectors; i += blockDim.x) {
      const int column = i / (D / 4);
      const int d = i % (D / 4) * 4;
      float tops[groups];
      float sums[groups];
      Vector16 outs[groups];
      float top = -INFINITY;
#pragma unroll
      for (int n = 0; n < groups; ++n) {
        const int64_t at = base + n * kColumns + column;
        tops[n] = load_from_l2(partial_sums + at * 2);
        sums[n] = load_from_l2(partial_sums + at * 2 + 1);
        outs[n] = load16_from_l2(partial_output + at * D + d);
        top = fmaxf(top, tops[n]);
      }
      const float least = top == -INFINITY ? 0.0f : top;
      float total = 0;
      float4 o4 = {0, 0, 0, 0};
#pragma unroll
      for (int n = 0; n < groups; ++n) {
        const float weight = exp2_approx(tops[n] - least);
        total += weight * sums[n];
        o4.x += weight * __uint_as_float(outs[n].word[0]);
        o4.y += weight * __uint_as_float(outs[n].word[1]);
        o4.z += weight * __uint_as_float(outs[n].word[2]);
        o4.w += weight * __uint_as_float(outs[n].word[3]);
      }
      write(column, d, o4, total);
    }
  }
}
// EVOLVE-BLOCK-END
