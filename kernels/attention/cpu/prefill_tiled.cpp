/*evoke
problem = "attention"
summary = "tiles of queries against tiles of keys; both products are small matrix products on packed tiles"

[parameters]
engine = { value = 1, choices = [0, 1, 2] }
exp_degree = { value = 6, choices = [0, 3, 4, 5, 6] }
longest_first = { value = 0, choices = [0, 1] }
pack_heads = { value = 0, choices = [0, 1] }
rows_per_step = { value = 4, choices = [1, 2, 4, 8] }
tile_kv = { value = 64, choices = [32, 64, 128, 256, 512] }
tile_q = { value = 32, choices = [16, 32, 64, 128] }
vectors_per_step = { value = 2, choices = [1, 2, 4] }
constraints = ["D % 32 == 0", "Hq % Hkv == 0", "rows_per_step * vectors_per_step <= 24"]

[[variant]]
name = "any"
when = "1"
[[variant.launch]]
kernel = "attend"
reads = ["query", "key", "value"]
writes = ["output"]
threadgroups = ["ceil_div(Lq, tile_q)", "pack_heads ? Hkv : Hq", "B"]
threads = [1, 1, 1]
dynamic_memory = "tile_q * (pack_heads ? Hq / Hkv : 1) * (D * (engine == 0 ? 4 : 2) + D * 4 + tile_kv * 4 + 8) + tile_kv * D * (engine == 0 ? 8 : 4)"
evoke*/

// Flash attention on a CPU: a tile of queries keeps its weighted sums while
// tiles of keys pass by. A tile of K is packed transposed, so that lanes are
// keys; a tile of V is packed in pairs of keys, so that lanes are columns.
// Then scores = Q * K^T and output += P * V are the same little product:
// C[row][lane] += sum over r of A[row][r] * B[r][lane], where an element of A
// and B is a float, or a pair of bfloat16.
//
// Genes: engine           0 float, 1 pairs of bfloat16 (one instruction where
//                         the machine has it), 2 the tile unit (falls back
//                         to 1 where there is none)
//        tile_q, tile_kv  queries and keys per tile
//        pack_heads       1 takes all query heads of a key head into one
//                         tile, which packs K and V once for all of them
//        rows_per_step, vectors_per_step   accumulators held in registers
//        longest_first    1 starts with the queries that see most keys
//        exp_degree       polynomial of exp2; 0 is the C library's

// EVOLVE-BLOCK-START
constexpr int kHeads = pack_heads ? Hq / Hkv : 1;  // query heads of one tile
constexpr int kRows = tile_q * kHeads;  // row = head * tile_q + query
constexpr bool kPairs = engine != 0;
constexpr int kStepsD = kPairs ? D / 2 : D;  // products' inner lengths
constexpr int kStepsKv = kPairs ? tile_kv / 2 : tile_kv;
constexpr int kPairVectors = D / (2 * kLanes);

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
  if constexpr (kPairs) return dot_pairs(c, a, b);
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
    for (int w = 0; w < kPairVectors; ++w) {
      const Words pairs = i < count
                              ? load_pairs(from + head * head_stride +
                                           i * row_stride + w * 2 * kLanes)
                              : Words{};
      if constexpr (kPairs) {
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
    for (int w = 0; w < kPairVectors; ++w) {
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
        if constexpr (kPairs) {
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
    for (int w = 0; w < kPairVectors; ++w) {
      uint32_t* const to = tiles.v + r * D + w * 2 * kLanes;
      if constexpr (kPairs) {
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
    if constexpr (kPairs) {
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

KERNEL(attend) {
  static_assert(tile_kv % (kLanes * vectors_per_step) == 0 || engine == 2);
  static_assert(D % (kLanes * vectors_per_step) == 0 || engine == 2);
  const int num_tiles = threadgroups_per_grid.x;
  const int position = threadgroup_position_in_grid.x;
  const int first =
      (longest_first ? num_tiles - 1 - position : position) * tile_q;
  const int head = threadgroup_position_in_grid.y * kHeads;
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
    for (int w = 0; w < kPairVectors; ++w) {
      store_pairs(to + w * 2 * kLanes,
                  make_pairs(load(o + w * 2 * kLanes) * inverse,
                             load(o + w * 2 * kLanes + kLanes) * inverse));
    }
  }
}
// EVOLVE-BLOCK-END
