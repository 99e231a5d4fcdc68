/*evoke
problem = "attention"
summary = "online softmax over tiles of keys; the keys of a head split over threadgroups, partial answers combined"

[parameters]
bf16_dot = { value = 0, choices = [0, 1] }
bf16_values = { value = 0, choices = [0, 1] }
exp_degree = { value = 6, choices = [0, 3, 4, 5, 6] }
passes = { value = 1, choices = [1, 2, 4] }
prefetch_keys = { value = 0, choices = [0, 4, 8, 16, 32, 64] }
splits = { value = 2, choices = [1, 2, 4, 8, 16, 32] }
tile_kv = { value = 64, choices = [16, 32, 64, 128, 256, 512, 1024] }
constraints = ["D % 32 == 0", "Hq % Hkv == 0", "D / 32 % passes == 0"]

[scratch]
partial_lse = { type = "float32", shape = ["B", "Hq", "Lq", "splits"] }
partial_output = { type = "float32", shape = ["B", "Hq", "Lq", "splits", "D"] }

[[variant]]
name = "split"
when = "Lq <= 16 && Lk >= 128"
[[variant.launch]]
kernel = "attend_split"
reads = ["query", "key", "value"]
writes = ["partial_output", "partial_lse"]
threadgroups = ["Hkv * Lq", "splits", "B"]
threads = [1, 1, 1]
[[variant.launch]]
kernel = "combine"
reads = ["partial_output", "partial_lse"]
writes = ["output"]
threadgroups = ["Hq", "Lq", "B"]
threads = [1, 1, 1]

[[variant]]
name = "whole"
when = "1"
[[variant.launch]]
kernel = "attend_whole"
reads = ["query", "key", "value"]
writes = ["output"]
threadgroups = ["Hkv", "Lq", "B"]
threads = [1, 1, 1]
evoke*/

// One query and all the query heads that share a key head, together: each row
// of K and V is read once for the whole group. Softmax is kept as a running
// maximum and sum (Milakov and Gimelshein 2018), a tile of keys at a time.
//
// Genes: splits        parts of the key range, each a threadgroup of its own
//        tile_kv       keys per softmax step
//        bf16_dot      0 widens q and k to float, 1 multiplies pairs directly
//        bf16_values   0 keeps probabilities in float, 1 rounds them to
//                      bfloat16 and multiplies pairs of keys directly
//        passes        over the columns of V; more need fewer registers
//        prefetch_keys rows fetched ahead by hand, 0 leaves it to the machine
//        exp_degree    polynomial of exp2; 0 is the C library's

// EVOLVE-BLOCK-START
constexpr int kHeads = Hq / Hkv;          // query heads of one key head
constexpr int kPairs = D / (2 * kLanes);  // vectors of pairs in one row

// The state of one query: for each head the weighted sum of values, apart for
// even and odd columns, relative to the running maximum.
struct State {
  Floats even[kHeads][kPairs];
  Floats odd[kHeads][kPairs];
  float greatest[kHeads];  // in units of log2
  float sum[kHeads];
};

inline void prefetch_row(const bfloat16* row) {
  if constexpr (prefetch_keys > 0) {
    for (int d = 0; d < D; d += 32) prefetch(row + d);
  }
}

// scores[h][j] = scale * log2(e) * <query h, key j> for j < count; -inf up to
// the next multiple of kLanes. Returns nothing beyond; greatest[h] is theirs.
inline void score_tile(const bfloat16* query, int64_t head_stride,
                       const bfloat16* keys, int64_t key_stride, int count,
                       float log2_scale, float (&scores)[kHeads][tile_kv],
                       float (&greatest)[kHeads]) {
  Words q[kHeads][kPairs];
  Floats top[kHeads];
  for (int h = 0; h < kHeads; ++h) {
    for (int w = 0; w < kPairs; ++w) {
      q[h][w] = load_pairs(query + h * head_stride + w * 2 * kLanes);
    }
    top[h] = splat(-INFINITY);
  }
  for (int first = 0; first < count; first += kLanes) {
    Floats rows[kHeads][kLanes];
#pragma GCC unroll 4
    for (int lane = 0; lane < kLanes; ++lane) {
      // Beyond the end the last row is read again, and masked below.
      const int j = std::min(first + lane, count - 1);
      const bfloat16* const row = keys + j * key_stride;
      prefetch_row(row + prefetch_keys * key_stride);
      Floats sums[kHeads] = {};
#pragma GCC unroll 16
      for (int w = 0; w < kPairs; ++w) {
        const Words k = load_pairs(row + w * 2 * kLanes);
#pragma GCC unroll 16
        for (int h = 0; h < kHeads; ++h) {
          if constexpr (bf16_dot != 0) {
            sums[h] = dot_pairs(sums[h], q[h][w], k);
          } else {
            sums[h] += even_of(q[h][w]) * even_of(k);
            sums[h] += odd_of(q[h][w]) * odd_of(k);
          }
        }
      }
      for (int h = 0; h < kHeads; ++h) rows[h][lane] = sums[h];
    }
    const Ints valid = lane_numbers() < count - first;
    for (int h = 0; h < kHeads; ++h) {
      const Floats x = sum_each(rows[h]) * log2_scale;
      const Floats masked = select(valid, x, splat(-INFINITY));
      store(&scores[h][first], masked);
      top[h] = max(top[h], masked);
    }
  }
  for (int h = 0; h < kHeads; ++h) greatest[h] = max_lanes(top[h]);
}

// Turns scores into probabilities relative to the new maximum, and brings the
// state to that maximum.
inline void softmax_tile(State& state, int count,
                         float (&scores)[kHeads][tile_kv],
                         const float (&greatest)[kHeads]) {
  for (int h = 0; h < kHeads; ++h) {
    if (greatest[h] > state.greatest[h]) {
      const float correction = exp2f(state.greatest[h] - greatest[h]);
      state.greatest[h] = greatest[h];
      state.sum[h] *= correction;
      for (int w = 0; w < kPairs; ++w) {
        state.even[h][w] *= correction;
        state.odd[h][w] *= correction;
      }
    }
    Floats sum{};
    for (int j = 0; j < count; j += kLanes) {
      const Floats p =
          exp2_lanes<exp_degree>(load(&scores[h][j]) - state.greatest[h]);
      store(&scores[h][j], p);
      sum += p;
    }
    state.sum[h] += sum_lanes(sum);
  }
}

// state += probabilities * V, for the columns of one pass.
template <int pass>
inline void add_values(State& state, const bfloat16* values,
                       int64_t value_stride, int count,
                       const float (&scores)[kHeads][tile_kv]) {
  constexpr int kWidth = kPairs / passes;
  constexpr int kFirst = pass * kWidth;
  Floats even[kHeads][kWidth];
  Floats odd[kHeads][kWidth];
  for (int h = 0; h < kHeads; ++h) {
    for (int w = 0; w < kWidth; ++w) {
      even[h][w] = state.even[h][kFirst + w];
      odd[h][w] = state.odd[h][kFirst + w];
    }
  }
  int j = 0;
  if constexpr (bf16_values != 0) {
    for (; j + 1 < count; j += 2) {
      const bfloat16* const row = values + j * value_stride;
      prefetch_row(row + prefetch_keys * value_stride);
      prefetch_row(row + (prefetch_keys + 1) * value_stride);
      Words p[kHeads];
      for (int h = 0; h < kHeads; ++h) {
        p[h] = splat_word(
            bfloat16::rounded(scores[h][j]) |
            static_cast<uint32_t>(bfloat16::rounded(scores[h][j + 1])) << 16);
      }
#pragma GCC unroll 16
      for (int w = 0; w < kWidth; ++w) {
        const int column = (kFirst + w) * 2 * kLanes;
        const Words a = load_pairs(row + column);
        const Words b = load_pairs(row + value_stride + column);
        const Words evens = (a & 0xffffu) | (b << 16);
        const Words odds = (a >> 16) | (b & 0xffff0000u);
#pragma GCC unroll 16
        for (int h = 0; h < kHeads; ++h) {
          even[h][w] = dot_pairs(even[h][w], p[h], evens);
          odd[h][w] = dot_pairs(odd[h][w], p[h], odds);
        }
      }
    }
  }
  for (; j < count; ++j) {
    const bfloat16* const row = values + j * value_stride;
    prefetch_row(row + prefetch_keys * value_stride);
#pragma GCC unroll 16
    for (int w = 0; w < kWidth; ++w) {
      const Words v = load_pairs(row + (kFirst + w) * 2 * kLanes);
#pragma GCC unroll 16
      for (int h = 0; h < kHeads; ++h) {
        even[h][w] += even_of(v) * scores[h][j];
        odd[h][w] += odd_of(v) * scores[h][j];
      }
    }
  }
  for (int h = 0; h < kHeads; ++h) {
    for (int w = 0; w < kWidth; ++w) {
      state.even[h][kFirst + w] = even[h][w];
      state.odd[h][kFirst + w] = odd[h][w];
    }
  }
}

// All keys of [begin, end) for the heads of one group.
inline void attend(State& state, const bfloat16* query, int64_t head_stride,
                   const bfloat16* key, int64_t key_stride,
                   const bfloat16* value, int64_t value_stride, int begin,
                   int end, float scale) {
  state = State{};
  for (int h = 0; h < kHeads; ++h) state.greatest[h] = -INFINITY;
  for (int tile = begin; tile < end; tile += tile_kv) {
    const int count = std::min(tile_kv, end - tile);
    alignas(64) float scores[kHeads][tile_kv];
    float greatest[kHeads];
    score_tile(query, head_stride, key + tile * key_stride, key_stride, count,
               scale * kLog2E, scores, greatest);
    softmax_tile(state, count, scores, greatest);
    const bfloat16* const values = value + tile * value_stride;
    add_values<0>(state, values, value_stride, count, scores);
    if constexpr (passes >= 2) {
      add_values<1>(state, values, value_stride, count, scores);
    }
    if constexpr (passes >= 4) {
      add_values<2>(state, values, value_stride, count, scores);
      add_values<3>(state, values, value_stride, count, scores);
    }
  }
}

// How many keys query i of Lq sees: causal is aligned at the bottom right.
inline int visible_keys(int i, int Lq, int Lk) {
  return causal ? std::clamp(Lk - Lq + i + 1, 0, Lk) : Lk;
}

KERNEL(attend_split) {
  const int group = threadgroup_position_in_grid.x / Lq;  // key head
  const int i = threadgroup_position_in_grid.x % Lq;
  const int split = threadgroup_position_in_grid.y;
  const int b = threadgroup_position_in_grid.z;
  const int length = (Lk + splits * kLanes - 1) / (splits * kLanes) * kLanes;
  const int visible = visible_keys(i, Lq, Lk);
  const int begin = std::min(split * length, visible);
  const int end = std::min(begin + length, visible);

  State state;
  attend(state,
         query + b * query_strides[0] + group * kHeads * query_strides[1] +
             i * query_strides[2],
         query_strides[1], key + b * key_strides[0] + group * key_strides[1],
         key_strides[2],
         value + b * value_strides[0] + group * value_strides[1],
         value_strides[2], begin, end, scale);

  for (int h = 0; h < kHeads; ++h) {
    const int64_t head = group * kHeads + h;
    const int64_t row = ((b * int64_t{Hq} + head) * Lq + i) * splits + split;
    // A split beyond the visible keys has weight 2^-inf = 0.
    const float inverse = state.sum[h] > 0 ? 1.0f / state.sum[h] : 0.0f;
    partial_lse[row] = state.greatest[h] + log2f(state.sum[h]);
    for (int w = 0; w < kPairs; ++w) {
      float* const to = partial_output + row * D + w * 2 * kLanes;
      store(to, state.even[h][w] * inverse);
      store(to + kLanes, state.odd[h][w] * inverse);
    }
  }
}

// output = sum of the partial answers, each weighted by its share of the
// softmax's sum.
KERNEL(combine) {
  const int head = threadgroup_position_in_grid.x;
  const int i = threadgroup_position_in_grid.y;
  const int b = threadgroup_position_in_grid.z;
  const int64_t row = ((b * int64_t{Hq} + head) * Lq + i) * splits;
  float greatest = -INFINITY;
  for (int s = 0; s < splits; ++s) {
    greatest = std::max(greatest, partial_lse[row + s]);
  }
  float total = 0;
  Floats even[kPairs] = {};
  Floats odd[kPairs] = {};
  for (int s = 0; s < splits; ++s) {
    const float lse = partial_lse[row + s];
    if (lse == -INFINITY) continue;
    const float weight = exp2f(lse - greatest);
    total += weight;
    for (int w = 0; w < kPairs; ++w) {
      const float* const from = partial_output + (row + s) * D + w * 2 * kLanes;
      even[w] += load(from) * weight;
      odd[w] += load(from + kLanes) * weight;
    }
  }
  const float inverse = total > 0 ? 1.0f / total : 0.0f;
  bfloat16* const out = output + b * output_strides[0] +
                        head * output_strides[1] + i * output_strides[2];
  for (int w = 0; w < kPairs; ++w) {
    store_pairs(out + w * 2 * kLanes,
                make_pairs(even[w] * inverse, odd[w] * inverse));
  }
}

KERNEL(attend_whole) {
  const int group = threadgroup_position_in_grid.x;
  const int i = threadgroup_position_in_grid.y;
  const int b = threadgroup_position_in_grid.z;
  State state;
  attend(state,
         query + b * query_strides[0] + group * kHeads * query_strides[1] +
             i * query_strides[2],
         query_strides[1], key + b * key_strides[0] + group * key_strides[1],
         key_strides[2],
         value + b * value_strides[0] + group * value_strides[1],
         value_strides[2], 0, visible_keys(i, Lq, Lk), scale);
  for (int h = 0; h < kHeads; ++h) {
    const float inverse = state.sum[h] > 0 ? 1.0f / state.sum[h] : 0.0f;
    bfloat16* const out = output + b * output_strides[0] +
                          (group * kHeads + h) * output_strides[1] +
                          i * output_strides[2];
    for (int w = 0; w < kPairs; ++w) {
      store_pairs(out + w * 2 * kLanes, make_pairs(state.even[h][w] * inverse,
                                                   state.odd[h][w] * inverse));
    }
  }
}
// EVOLVE-BLOCK-END
