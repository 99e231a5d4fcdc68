/*evoke
problem = "attention"
summary = "prefill: tiles of queries against tiles of keys with simdgroup_matrix, online softmax"

[parameters]
row_groups = { value = 2, choices = [1, 2, 4] }
tile_kv = { value = 16, choices = [8, 16, 24] }
fast_exp = { value = 0, choices = [0, 1] }
constraints = ["D % 8 == 0", "Hq % Hkv == 0", "(2 * tile_kv + 8 * row_groups) * D * 4 <= max_threadgroup_memory", "8 * tile_kv + 64 <= 8 * D"]

[[variant]]
name = "any"
[[variant.launch]]
kernel = "prefill"
reads = ["query", "key", "value"]
writes = ["output"]
threadgroups = ["ceil_div(Lq, row_groups * 8)", "Hq", "B"]
threads = ["row_groups * 32"]
evoke*/

// Flash attention on 8x8 matrices. Nothing depends on which lane holds which
// element of one: rows are rescaled by a diagonal matrix.
//
// Genes: row_groups  simdgroups of a threadgroup, 8 query rows each
//        tile_kv     keys of a tile
//        fast_exp    1 is metal::fast::exp2

// EVOLVE-BLOCK-START
inline float exp2_of(float x) {
  return fast_exp != 0 ? metal::fast::exp2(x) : metal::exp2(x);
}

// A simdgroup computes 8 query rows; a threadgroup has `row_groups` of them,
// which share tiles of tile_kv keys and values in threadgroup memory.
KERNEL(prefill) {
  const int q_first = int(threadgroup_position_in_grid.x) * row_groups * 8;
  const int h = int(threadgroup_position_in_grid.y);
  const int b = int(threadgroup_position_in_grid.z);
  const int kv_head = h / (Hq / Hkv);
  const uint lane = thread_index_in_simdgroup;
  const int thread_index = int(thread_index_in_threadgroup);
  const int num_threads = row_groups * 32;
  const int row_group = int(simdgroup_index_in_threadgroup);

  threadgroup float k_tile[tile_kv * D];
  threadgroup float v_tile[tile_kv * D];
  // Each simdgroup's own: first its queries, then scores and a diagonal, at
  // last its output.
  threadgroup float stage[row_groups * 8 * D];
  threadgroup float* own = stage + row_group * 8 * D;
  threadgroup float* diagonal = own + 8 * tile_kv;

  const device bfloat16_t* queries =
      query + b * query_strides[0] + h * query_strides[1];
  const device bfloat16_t* keys =
      key + b * key_strides[0] + kv_head * key_strides[1];
  const device bfloat16_t* values =
      value + b * value_strides[0] + kv_head * value_strides[1];
  for (int n = thread_index; n < row_groups * 8 * D; n += num_threads) {
    const int i = q_first + n / D;
    stage[n] = i < Lq ? float(queries[i * query_strides[2] + n % D]) *
                            (scale * M_LOG2E_F)
                      : 0.0f;
  }
  threadgroup_barrier(mem_flags::mem_threadgroup);
  simdgroup_float8x8 q[D / 8];
  simdgroup_float8x8 acc[D / 8];
  for (int t = 0; t < D / 8; ++t) {
    simdgroup_load(q[t], own + t * 8, D);
    acc[t] = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
  }

  // Four lanes hold the state of one row.
  const int row = int(lane) / 4;
  const int quarter = int(lane) % 4;
  const int i = q_first + row_group * 8 + row;
  const int visible = causal != 0 ? Lk - Lq + i + 1 : Lk;
  float peak = -INFINITY;
  float sum = 0.0f;
  const int tile_end =
      causal != 0 ? min(int(Lk), Lk - Lq + q_first + row_groups * 8) : Lk;
  for (int j0 = 0; j0 < tile_end; j0 += tile_kv) {
    // All have read the tile before.
    threadgroup_barrier(mem_flags::mem_threadgroup);
    for (int n = thread_index; n < tile_kv * D; n += num_threads) {
      const int j = j0 + n / D;
      k_tile[n] = j < Lk ? float(keys[j * key_strides[2] + n % D]) : 0.0f;
      v_tile[n] = j < Lk ? float(values[j * value_strides[2] + n % D]) : 0.0f;
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    // It has helped to load the tile; it has no queries of its own.
    if (q_first + row_group * 8 >= Lq) continue;

    for (int c = 0; c < tile_kv / 8; ++c) {
      simdgroup_float8x8 scores =
          make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
      for (int t = 0; t < D / 8; ++t) {
        simdgroup_float8x8 k;
        simdgroup_load(k, k_tile + c * 8 * D + t * 8, D, ulong2(0, 0), true);
        simdgroup_multiply_accumulate(scores, q[t], k, scores);
      }
      simdgroup_store(scores, own + c * 8, tile_kv);
    }
    simdgroup_barrier(mem_flags::mem_threadgroup);

    float higher = peak;
    for (int c = quarter; c < tile_kv; c += 4) {
      const int j = j0 + c;
      if (j < visible && j < Lk) {
        higher = max(higher, own[row * tile_kv + c]);
      }
    }
    higher = max(higher, simd_shuffle_xor(higher, 1));
    higher = max(higher, simd_shuffle_xor(higher, 2));
    float added = 0.0f;
    for (int c = quarter; c < tile_kv; c += 4) {
      const int j = j0 + c;
      const float weight =
          j < visible && j < Lk ? exp2_of(own[row * tile_kv + c] - higher)
                                : 0.0f;
      own[row * tile_kv + c] = weight;
      added += weight;
    }
    added += simd_shuffle_xor(added, 1);
    added += simd_shuffle_xor(added, 2);
    const float old = peak > -INFINITY ? exp2_of(peak - higher) : 0.0f;
    sum = sum * old + added;
    peak = higher;
    for (int c = quarter; c < 8; c += 4) {
      diagonal[row * 8 + c] = c == row ? old : 0.0f;
    }
    simdgroup_barrier(mem_flags::mem_threadgroup);

    simdgroup_float8x8 rescale;
    simdgroup_load(rescale, diagonal, 8);
    simdgroup_float8x8 weights[tile_kv / 8];
    for (int c = 0; c < tile_kv / 8; ++c) {
      simdgroup_load(weights[c], own + c * 8, tile_kv);
    }
    for (int t = 0; t < D / 8; ++t) {
      simdgroup_float8x8 scaled;
      simdgroup_multiply(scaled, rescale, acc[t]);
      for (int c = 0; c < tile_kv / 8; ++c) {
        simdgroup_float8x8 v;
        simdgroup_load(v, v_tile + c * 8 * D + t * 8, D);
        simdgroup_multiply_accumulate(scaled, weights[c], v, scaled);
      }
      acc[t] = scaled;
    }
    // Scores and diagonal are written again in the next round.
    simdgroup_barrier(mem_flags::mem_threadgroup);
  }

  for (int t = 0; t < D / 8; ++t) simdgroup_store(acc[t], own + t * 8, D);
  simdgroup_barrier(mem_flags::mem_threadgroup);
  if (i < Lq) {
    const float inverse = sum > 0.0f ? 1.0f / sum : 0.0f;
    device bfloat16_t* out = output + b * output_strides[0] +
                             h * output_strides[1] + i * output_strides[2];
    for (int d = quarter; d < D; d += 4) {
      out[d] = bfloat16_t(own[row * D + d] * inverse);
    }
  }
}
// EVOLVE-BLOCK-END
