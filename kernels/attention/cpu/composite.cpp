/*evoke
problem = "attention"
summary = "decode: online softmax with the keys split over threadgroups; prefill: tiles of queries against packed tiles of keys"

[parameters]
bf16_dot = { value = 0, choices = [0, 1] }
bf16_values = { value = 0, choices = [0, 1] }
engine = { value = 1, choices = [0, 1, 2] }
exp_degree = { value = 6, choices = [0, 3, 4, 5, 6] }
longest_first = { value = 0, choices = [0, 1] }
pack_heads = { value = 0, choices = [0, 1] }
passes = { value = 1, choices = [1, 2, 4] }
prefetch_keys = { value = 0, choices = [0, 4, 8, 16, 32, 64] }
rows_per_step = { value = 4, choices = [1, 2, 4, 8] }
splits = { value = 2, choices = [1, 2, 4, 8, 16, 32] }
tile_kv = { value = 64, choices = [32, 64, 128, 256, 512, 1024] }
tile_q = { value = 32, choices = [16, 32, 64, 128] }
vectors_per_step = { value = 2, choices = [1, 2, 4] }
constraints = ["D % 32 == 0", "Hq % Hkv == 0", "D / 32 % passes == 0", "rows_per_step * vectors_per_step <= 24"]

[scratch]
partial_lse = { type = "float32", shape = ["B", "Hq", "Lq", "splits"] }
partial_output = { type = "float32", shape = ["B", "Hq", "Lq", "splits", "D"] }

[[variant]]
name = "decode-split"
when = "Lq <= 8 && Lk >= 512"
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
name = "decode"
when = "Lq <= 8"
[[variant.launch]]
kernel = "attend_whole"
reads = ["query", "key", "value"]
writes = ["output"]
threadgroups = ["Hkv", "Lq", "B"]
threads = [1, 1, 1]

[[variant]]
name = "prefill"
when = "1"
parameters = { tile_kv = 64 }
[[variant.launch]]
kernel = "attend_tiled"
reads = ["query", "key", "value"]
writes = ["output"]
threadgroups = ["ceil_div(Lq, tile_q)", "pack_heads ? Hkv : Hq", "B"]
threads = [1, 1, 1]
dynamic_memory = "tile_q * (pack_heads ? Hq / Hkv : 1) * (D * (engine == 0 ? 4 : 2) + D * 4 + tile_kv * 4 + 8) + tile_kv * D * (engine == 0 ? 8 : 4)"
evoke*/

// Decode (few queries) streams K and V once for all query heads of a key head
// and keeps a running softmax; long key ranges are split over threadgroups and
// combined. Prefill (many queries) packs tiles of K and V and turns both
// products into small matrix products. decode_split_kv.cpp and
// prefill_tiled.cpp are the two halves alone and describe their genes; here
// the variants share the genes tile_kv and exp_degree, and each may override
// them.

// EVOLVE-BLOCK-START
// ------------------------------------------------------------------ decode

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

// ----------------------------------------------------------------- prefill

constexpr int kTileHeads =
    pack_heads ? Hq / Hkv : 1;              // query heads of one tile
constexpr int kRows = tile_q * kTileHeads;  // row = head * tile_q + query
constexpr bool kInPairs = engine != 0;
constexpr int kStepsD = kInPairs ? D / 2 : D;  // products' inner lengths
constexpr int kStepsKv = kInPairs ? tile_kv / 2 : tile_kv;

// Elements of A and B are 32-bit words, whatever they mean.
struct Tiles {
  uint32_t* q;      // [kRows][kStepsD]
  uint32_t* kt;     // [kStepsD][tile_kv]
  uint32_t* v;      // [kStepsKv][D], columns in the order of even_of, odd_of
  float* s;         // [kRows][tile_kv]: scores, then probabilities in place
  float* o;         // [kRows][D], columns as in v
  float* greatest;  // [kRows], in units of log2
  float* sum;       // [kRows]
};

inline Words load_words(const uint32_t* from) {
  return *reinterpret_cast<const UnalignedWords*>(from);
}
inline void store_words(uint32_t* to, Words words) {
  *reinterpret_cast<UnalignedWords*>(to) = words;
}

inline Floats multiply_add(Floats c, Words a, Words b) {
  if constexpr (kInPairs) return dot_pairs(c, a, b);
  return std::bit_cast<Floats>(a) * std::bit_cast<Floats>(b) + c;
}

#if HAS_AMX_BF16
// One block of C: 32 or 16 rows, 32 columns, in four or two tiles.
template <bool two>
inline void multiply_block(const uint32_t* a, int lda, const uint32_t* b,
                           int ldb, float* c, int ldc, int steps, bool add) {
  const int64_t bytes_a = lda * 4, bytes_b = ldb * 4, bytes_c = ldc * 4;
  if (add) {
    tile_load<0>(c, bytes_c);
    tile_load<1>(c + 16, bytes_c);
    if constexpr (two) tile_load<2>(c + 16 * ldc, bytes_c);
    if constexpr (two) tile_load<3>(c + 16 * ldc + 16, bytes_c);
  } else {
    tile_zero<0>();
    tile_zero<1>();
    if constexpr (two) tile_zero<2>();
    if constexpr (two) tile_zero<3>();
  }
  for (int r = 0; r < steps; r += 16) {
    tile_load<4>(a + r, bytes_a);
    tile_load<6>(b + r * ldb, bytes_b);
    tile_dot<0, 4, 6>();
    tile_load<7>(b + r * ldb + 16, bytes_b);
    tile_dot<1, 4, 7>();
    if constexpr (two) {
      tile_load<5>(a + 16 * lda + r, bytes_a);
      tile_dot<2, 5, 6>();
      tile_dot<3, 5, 7>();
    }
  }
  tile_store<0>(c, bytes_c);
  tile_store<1>(c + 16, bytes_c);
  if constexpr (two) tile_store<2>(c + 16 * ldc, bytes_c);
  if constexpr (two) tile_store<3>(c + 16 * ldc + 16, bytes_c);
}
#endif

// c[kRows][columns] (+)= a[kRows][steps] * b[steps][columns].
template <int columns, int steps>
inline void multiply(const uint32_t* a, int lda, const uint32_t* b, float* c,
                     bool add) {
#if HAS_AMX_BF16
  if constexpr (engine == 2) {
    for (int row = 0; row < kRows; row += 32) {
      for (int column = 0; column < columns; column += 32) {
        multiply_block<(kRows >= 32)>(a + row * lda, lda, b + column, columns,
                                      c + row * columns + column, columns,
                                      steps, add);
      }
    }
    return;
  }
#endif
  for (int column = 0; column < columns; column += kLanes * vectors_per_step) {
    for (int row = 0; row < kRows; row += rows_per_step) {
      Floats sums[rows_per_step][vectors_per_step];
      float* const to = c + row * columns + column;
#pragma GCC unroll 8
      for (int i = 0; i < rows_per_step; ++i) {
#pragma GCC unroll 8
        for (int n = 0; n < vectors_per_step; ++n) {
          sums[i][n] = add ? load(to + i * columns + n * kLanes) : Floats{};
        }
      }
      for (int r = 0; r < steps; ++r) {
        Words right[vectors_per_step];
#pragma GCC unroll 8
        for (int n = 0; n < vectors_per_step; ++n) {
          right[n] = load_words(b + r * columns + column + n * kLanes);
        }
#pragma GCC unroll 8
        for (int i = 0; i < rows_per_step; ++i) {
          const Words left = splat_word(a[(row + i) * lda + r]);
#pragma GCC unroll 8
          for (int n = 0; n < vectors_per_step; ++n) {
            sums[i][n] = multiply_add(sums[i][n], left, right[n]);
          }
        }
      }
#pragma GCC unroll 8
      for (int i = 0; i < rows_per_step; ++i) {
#pragma GCC unroll 8
        for (int n = 0; n < vectors_per_step; ++n) {
          store(to + i * columns + n * kLanes, sums[i][n]);
        }
      }
    }
  }
}

// Rows beyond the last query hold zeros; nobody reads what comes of them.
inline void pack_queries(const Tiles& tiles, const bfloat16* from,
                         int64_t head_stride, int64_t row_stride, int count) {
  for (int row = 0; row < kRows; ++row) {
    const int head = row / tile_q, i = row % tile_q;
    uint32_t* const to = tiles.q + row * kStepsD;
    for (int w = 0; w < kPairs; ++w) {
      const Words pairs = i < count
                              ? load_pairs(from + head * head_stride +
                                           i * row_stride + w * 2 * kLanes)
                              : Words{};
      if constexpr (kInPairs) {
        store_words(to + w * kLanes, pairs);
      } else {
        const Floats even = even_of(pairs), odd = odd_of(pairs);
        for (int lane = 0; lane < kLanes; ++lane) {
          to[w * 2 * kLanes + 2 * lane] = std::bit_cast<uint32_t>(even[lane]);
          to[w * 2 * kLanes + 2 * lane + 1] =
              std::bit_cast<uint32_t>(odd[lane]);
        }
      }
    }
  }
}

// kt[r][j] = pair r of key j. Keys from `count` on are zero.
inline void pack_keys(const Tiles& tiles, const bfloat16* from,
                      int64_t row_stride, int count) {
  for (int first = 0; first < tile_kv; first += kLanes) {
    for (int w = 0; w < kPairs; ++w) {
      Words rows[kLanes];
#pragma GCC unroll 16
      for (int lane = 0; lane < kLanes; ++lane) {
        const int j = first + lane;
        rows[lane] = j < count
                         ? load_pairs(from + j * row_stride + w * 2 * kLanes)
                         : Words{};
      }
      transpose(rows);
#pragma GCC unroll 16
      for (int lane = 0; lane < kLanes; ++lane) {
        const int r = w * kLanes + lane;
        if constexpr (kInPairs) {
          store_words(tiles.kt + r * tile_kv + first, rows[lane]);
        } else {
          uint32_t* const to = tiles.kt + 2 * r * tile_kv + first;
          store_words(to, std::bit_cast<Words>(even_of(rows[lane])));
          store_words(to + tile_kv, std::bit_cast<Words>(odd_of(rows[lane])));
        }
      }
    }
  }
}

// v[r] = the pair of keys 2r and 2r + 1 (or key r), even columns and odd ones
// in turn. Keys from `count` on are zero.
inline void pack_values(const Tiles& tiles, const bfloat16* from,
                        int64_t row_stride, int count) {
  const auto pairs_of = [&](int j, int w) {
    return j < count ? load_pairs(from + j * row_stride + w * 2 * kLanes)
                     : Words{};
  };
  for (int r = 0; r < kStepsKv; ++r) {
    for (int w = 0; w < kPairs; ++w) {
      uint32_t* const to = tiles.v + r * D + w * 2 * kLanes;
      if constexpr (kInPairs) {
        const Words a = pairs_of(2 * r, w), b = pairs_of(2 * r + 1, w);
        store_words(to, (a & 0xffffu) | (b << 16));
        store_words(to + kLanes, (a >> 16) | (b & 0xffff0000u));
      } else {
        const Words a = pairs_of(r, w);
        store_words(to, std::bit_cast<Words>(even_of(a)));
        store_words(to + kLanes, std::bit_cast<Words>(odd_of(a)));
      }
    }
  }
}

// Scores of one row become probabilities, in place; in pairs they are rounded
// to bfloat16 and fill the first half of the row. Only the first `visible`
// columns count. Brings the row's sums to the new maximum.
inline void softmax_row(const Tiles& tiles, int row, int visible,
                        float log2_scale) {
  float* const s = tiles.s + row * tile_kv;
  Floats top = splat(-INFINITY);
  for (int j = 0; j < tile_kv; j += kLanes) {
    Floats x = load(s + j) * log2_scale;
    if (j + kLanes > visible) {
      x = select(lane_numbers() < visible - j, x, splat(-INFINITY));
    }
    store(s + j, x);
    top = max(top, x);
  }
  const float before = tiles.greatest[row];
  const float after = std::max(before, max_lanes(top));
  if (after > before) {
    const float correction = exp2f(before - after);
    tiles.greatest[row] = after;
    tiles.sum[row] *= correction;
    float* const o = tiles.o + row * D;
    for (int d = 0; d < D; d += kLanes) store(o + d, load(o + d) * correction);
  }
  // A row that has seen no key yet has no maximum to subtract.
  const float subtracted = after == -INFINITY ? 0.0f : after;
  Floats sum{};
  for (int j = 0; j < tile_kv; j += kLanes) {
    const Floats p = exp2_lanes<exp_degree>(load(s + j) - subtracted);
    sum += p;
    if constexpr (kInPairs) {
      store_bfloat16(reinterpret_cast<bfloat16*>(s) + j, p);
    } else {
      store(s + j, p);
    }
  }
  tiles.sum[row] += sum_lanes(sum);
}

inline Tiles divide_memory(char* memory) {
  Tiles tiles;
  tiles.o = reinterpret_cast<float*>(memory);
  tiles.s = tiles.o + kRows * D;
  tiles.kt = reinterpret_cast<uint32_t*>(tiles.s + kRows * tile_kv);
  tiles.v = tiles.kt + kStepsD * tile_kv;
  tiles.q = tiles.v + kStepsKv * D;
  tiles.greatest = reinterpret_cast<float*>(tiles.q + kRows * kStepsD);
  tiles.sum = tiles.greatest + kRows;
  for (int row = 0; row < kRows; ++row) {
    tiles.greatest[row] = -INFINITY;
    tiles.sum[row] = 0;
  }
  for (int i = 0; i < kRows * D; i += kLanes) store(tiles.o + i, Floats{});
  return tiles;
}

KERNEL(attend_tiled) {
  static_assert(tile_kv % (kLanes * vectors_per_step) == 0 || engine == 2);
  static_assert(D % (kLanes * vectors_per_step) == 0 || engine == 2);
  const int num_tiles = threadgroups_per_grid.x;
  const int position = threadgroup_position_in_grid.x;
  const int first =
      (longest_first ? num_tiles - 1 - position : position) * tile_q;
  const int head = threadgroup_position_in_grid.y * kTileHeads;
  const int b = threadgroup_position_in_grid.z;
  const int group = head / (Hq / Hkv);
  const int num_queries = std::min(tile_q, Lq - first);
  // Causal is aligned at the bottom right: query i sees Lk - Lq + i + 1 keys.
  const int seen_by_first = causal ? Lk - Lq + first + 1 : Lk;
  const int seen_by_last =
      causal ? std::clamp(seen_by_first + num_queries - 1, 0, Lk) : Lk;

  const bfloat16* const keys =
      key + b * key_strides[0] + group * key_strides[1];
  const bfloat16* const values =
      value + b * value_strides[0] + group * value_strides[1];
  const Tiles tiles = divide_memory(threadgroup_memory);
  pack_queries(tiles,
               query + b * query_strides[0] + head * query_strides[1] +
                   first * query_strides[2],
               query_strides[1], query_strides[2], num_queries);
#if HAS_AMX_BF16
  if constexpr (engine == 2) tile_configure();
#endif

  for (int tile = 0; tile < seen_by_last; tile += tile_kv) {
    const int count = std::min(tile_kv, seen_by_last - tile);
    pack_keys(tiles, keys + tile * key_strides[2], key_strides[2], count);
    multiply<tile_kv, kStepsD>(tiles.q, kStepsD, tiles.kt, tiles.s,
                               /*add=*/false);
    for (int row = 0; row < kRows; ++row) {
      const int seen = causal ? seen_by_first + row % tile_q - tile : Lk - tile;
      softmax_row(tiles, row, std::min(seen, count), scale * kLog2E);
    }
    pack_values(tiles, values + tile * value_strides[2], value_strides[2],
                count);
    multiply<D, kStepsKv>(reinterpret_cast<const uint32_t*>(tiles.s), tile_kv,
                          tiles.v, tiles.o, /*add=*/true);
  }

#if HAS_AMX_BF16
  if constexpr (engine == 2) tile_release();
#endif
  for (int row = 0; row < kRows; ++row) {
    const int i = row % tile_q;
    if (i >= num_queries) continue;
    const float sum = tiles.sum[row];
    const float inverse = sum > 0 ? 1.0f / sum : 0.0f;
    bfloat16* const to = output + b * output_strides[0] +
                         (head + row / tile_q) * output_strides[1] +
                         (first + i) * output_strides[2];
    const float* const o = tiles.o + row * D;
    for (int w = 0; w < kPairs; ++w) {
      store_pairs(to + w * 2 * kLanes,
                  make_pairs(load(o + w * 2 * kLanes) * inverse,
                             load(o + w * 2 * kLanes + kLanes) * inverse));
    }
  }
}
// EVOLVE-BLOCK-END
