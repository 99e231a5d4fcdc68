/*evoke
problem = "attention"
summary = "decode: one or two passes by length, key loads shared by query heads; prefill: simdgroup_matrix tiles"

[parameters]
simdgroups = { value = 16, choices = [1, 2, 4, 8, 16, 32] }
keys_per_step = { value = 2, choices = [1, 2, 4] }
fast_exp = { value = 0, choices = [0, 1] }
parts = { value = 32, choices = [4, 8, 16, 32, 64, 128] }
row_groups = { value = 2, choices = [1, 2, 4] }
tile_kv = { value = 16, choices = [8, 16, 24] }
constraints = [
  "D % 32 == 0",
  "Hq % Hkv == 0",
  "(simdgroups * D + 2 * simdgroups * (Hq / Hkv)) * 4 <= max_threadgroup_memory",
  "(2 * tile_kv + 8 * row_groups) * D * 4 <= max_threadgroup_memory",
  "8 * tile_kv + 64 <= 8 * D",
]

[scratch]
partial_output = { type = "float32", shape = ["B", "Hq", "Lq", "parts_now", "D"] }
partial_peak   = { type = "float32", shape = ["B", "Hq", "Lq", "align_up(parts_now, 8)"] }
partial_sum    = { type = "float32", shape = ["B", "Hq", "Lq", "align_up(parts_now, 8)"] }

[derive]
parts_now = "max(1, min(parts, ceil_div(Lk, simdgroups * keys_per_step)))"

[[variant]]
name = "decode-long"
when = "Lq <= 8 && Lk >= 1024"
parameters = { simdgroups = 8 }
[[variant.launch]]
kernel = "partial"
reads = ["query", "key", "value"]
writes = ["partial_output", "partial_peak", "partial_sum"]
threadgroups = ["Hkv", "parts_now", "B * Lq"]
threads = ["simdgroups * 32"]
[[variant.launch]]
kernel = "combine"
reads = ["partial_output", "partial_peak", "partial_sum"]
writes = ["output"]
threadgroups = ["Hq", "Lq", "B"]
threads = ["D"]

[[variant]]
name = "decode"
when = "Lq <= 8"
[[variant.launch]]
kernel = "one_pass"
reads = ["query", "key", "value"]
writes = ["output"]
threadgroups = ["Hkv", "Lq", "B"]
threads = ["simdgroups * 32"]

[[variant]]
name = "prefill"
[[variant.launch]]
kernel = "prefill"
reads = ["query", "key", "value"]
writes = ["output"]
threadgroups = ["ceil_div(Lq, row_groups * 8)", "Hq", "B"]
threads = ["row_groups * 32"]
evoke*/

// decode_one_pass.metal, decode_two_pass.metal and prefill_tiled.metal in one
// file; their heads say what the genes mean.

// EVOLVE-BLOCK-START
// Query heads that share a key head, and what a lane holds of a row.
constexpr constant int group = Hq / Hkv;
constexpr constant int lane_width = D / 32;

inline float exp2_of(float x) {
  return fast_exp != 0 ? metal::fast::exp2(x) : metal::exp2(x);
}

// Online softmax of `group` query heads over rows of one key head. A simdgroup
// holds the rows; a lane holds lane_width elements of each.
struct Rows {
  float q[group][lane_width];
  float acc[group][lane_width];
  float peak[group];
  float sum[group];

  void start(const device bfloat16_t* rows, int64_t head_stride, uint lane,
             float factor) {
    for (int g = 0; g < group; ++g) {
      const device bfloat16_t* row = rows + g * head_stride + lane * lane_width;
      for (int e = 0; e < lane_width; ++e) {
        q[g][e] = float(row[e]) * factor;
        acc[g][e] = 0.0f;
      }
      peak[g] = -INFINITY;
      sum[g] = 0.0f;
    }
  }

  // Keys first, first + step, ... below last; keys_per_step of them at once.
  void attend(const device bfloat16_t* keys, const device bfloat16_t* values,
              int64_t key_stride, int64_t value_stride, int first, int last,
              int step, uint lane) {
    for (int j = first; j < last; j += step * keys_per_step) {
      float scores[keys_per_step][group];
      for (int n = 0; n < keys_per_step; ++n) {
        const int row = min(j + n * step, last - 1);
        const device bfloat16_t* k = keys + row * key_stride + lane * lane_width;
        float k_row[lane_width];
        for (int e = 0; e < lane_width; ++e) k_row[e] = float(k[e]);
        for (int g = 0; g < group; ++g) {
          float partial = 0.0f;
          for (int e = 0; e < lane_width; ++e) partial += q[g][e] * k_row[e];
          const float score = simd_sum(partial);
          scores[n][g] = j + n * step < last ? score : -INFINITY;
        }
      }
      for (int g = 0; g < group; ++g) {
        float higher = peak[g];
        for (int n = 0; n < keys_per_step; ++n) {
          higher = max(higher, scores[n][g]);
        }
        const float old = exp2_of(peak[g] - higher);
        peak[g] = higher;
        sum[g] *= old;
        for (int e = 0; e < lane_width; ++e) acc[g][e] *= old;
        for (int n = 0; n < keys_per_step; ++n) {
          scores[n][g] = exp2_of(scores[n][g] - higher);
          sum[g] += scores[n][g];
        }
      }
      for (int n = 0; n < keys_per_step; ++n) {
        const int row = min(j + n * step, last - 1);
        const device bfloat16_t* v =
            values + row * value_stride + lane * lane_width;
        for (int e = 0; e < lane_width; ++e) {
          const float element = float(v[e]);
          for (int g = 0; g < group; ++g) acc[g][e] += scores[n][g] * element;
        }
      }
    }
  }
};

KERNEL(one_pass) {
  const int kv_head = int(threadgroup_position_in_grid.x);
  const int i = int(threadgroup_position_in_grid.y);
  const int b = int(threadgroup_position_in_grid.z);
  const uint lane = thread_index_in_simdgroup;
  const uint simdgroup = simdgroup_index_in_threadgroup;
  // Causal is aligned at the bottom right: query i sees Lk - Lq + i + 1 keys.
  const int visible = causal != 0 ? clamp(Lk - Lq + i + 1, 0, int(Lk)) : Lk;

  Rows rows;
  rows.start(query + b * query_strides[0] + kv_head * group * query_strides[1] +
                 i * query_strides[2],
             query_strides[1], lane, scale * M_LOG2E_F);
  rows.attend(key + b * key_strides[0] + kv_head * key_strides[1],
              value + b * value_strides[0] + kv_head * value_strides[1],
              key_strides[2], value_strides[2], int(simdgroup), visible,
              simdgroups, lane);

  // One head after another: what the simdgroups found, put together.
  threadgroup float peaks[simdgroups * group];
  threadgroup float sums[simdgroups * group];
  threadgroup float parts[simdgroups * D];
  if (lane == 0) {
    for (int g = 0; g < group; ++g) {
      peaks[simdgroup * group + g] = rows.peak[g];
      sums[simdgroup * group + g] = rows.sum[g];
    }
  }
  threadgroup_barrier(mem_flags::mem_threadgroup);
  for (int g = 0; g < group; ++g) {
    float peak = -INFINITY;
    for (int s = 0; s < simdgroups; ++s) peak = max(peak, peaks[s * group + g]);
    float sum = 0.0f;
    for (int s = 0; s < simdgroups; ++s) {
      const float each = peaks[s * group + g];
      if (each > -INFINITY) sum += sums[s * group + g] * exp2_of(each - peak);
    }
    const float mine =
        rows.peak[g] > -INFINITY ? exp2_of(rows.peak[g] - peak) : 0.0f;
    for (int e = 0; e < lane_width; ++e) {
      parts[simdgroup * D + lane * lane_width + e] = rows.acc[g][e] * mine;
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    const float inverse = sum > 0.0f ? 1.0f / sum : 0.0f;
    device bfloat16_t* out = output + b * output_strides[0] +
                             (kv_head * group + g) * output_strides[1] +
                             i * output_strides[2];
    for (int d = int(thread_index_in_threadgroup); d < D;
         d += simdgroups * 32) {
      float total = 0.0f;
      for (int s = 0; s < simdgroups; ++s) total += parts[s * D + d];
      out[d] = bfloat16_t(total * inverse);
    }
    // `parts` is written again for the next head.
    threadgroup_barrier(mem_flags::mem_threadgroup);
  }
}

KERNEL(partial) {
  const int kv_head = int(threadgroup_position_in_grid.x);
  const int part = int(threadgroup_position_in_grid.y);
  const int i = int(threadgroup_position_in_grid.z) % Lq;
  const int b = int(threadgroup_position_in_grid.z) / Lq;
  const uint lane = thread_index_in_simdgroup;
  const uint simdgroup = simdgroup_index_in_threadgroup;
  const int visible = causal != 0 ? clamp(Lk - Lq + i + 1, 0, int(Lk)) : Lk;
  // Every parts_now-th stretch of keys belongs to this threadgroup.
  const int first = part * simdgroups + int(simdgroup);

  Rows rows;
  rows.start(query + b * query_strides[0] + kv_head * group * query_strides[1] +
                 i * query_strides[2],
             query_strides[1], lane, scale * M_LOG2E_F);
  rows.attend(key + b * key_strides[0] + kv_head * key_strides[1],
              value + b * value_strides[0] + kv_head * value_strides[1],
              key_strides[2], value_strides[2], first, visible,
              parts_now * simdgroups, lane);

  // One head after another: what the simdgroups found, put together.
  threadgroup float peaks[simdgroups * group];
  threadgroup float sums[simdgroups * group];
  threadgroup float parts[simdgroups * D];
  if (lane == 0) {
    for (int g = 0; g < group; ++g) {
      peaks[simdgroup * group + g] = rows.peak[g];
      sums[simdgroup * group + g] = rows.sum[g];
    }
  }
  threadgroup_barrier(mem_flags::mem_threadgroup);
  for (int g = 0; g < group; ++g) {
    float peak = -INFINITY;
    for (int s = 0; s < simdgroups; ++s) peak = max(peak, peaks[s * group + g]);
    float sum = 0.0f;
    for (int s = 0; s < simdgroups; ++s) {
      const float each = peaks[s * group + g];
      if (each > -INFINITY) sum += sums[s * group + g] * exp2_of(each - peak);
    }
    const float mine =
        rows.peak[g] > -INFINITY ? exp2_of(rows.peak[g] - peak) : 0.0f;
    for (int e = 0; e < lane_width; ++e) {
      parts[simdgroup * D + lane * lane_width + e] = rows.acc[g][e] * mine;
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    const int64_t row = (int64_t(b) * Hq + kv_head * group + g) * Lq + i;
    device float* out = partial_output + (row * parts_now + part) * D;
    for (int d = int(thread_index_in_threadgroup); d < D;
         d += simdgroups * 32) {
      float total = 0.0f;
      for (int s = 0; s < simdgroups; ++s) total += parts[s * D + d];
      out[d] = total;
    }
    if (thread_index_in_threadgroup == 0) {
      partial_peak[row * partial_peak_strides[2] + part] = peak;
      partial_sum[row * partial_sum_strides[2] + part] = sum;
    }
    // `parts` is written again for the next head.
    threadgroup_barrier(mem_flags::mem_threadgroup);
  }
}

// One threadgroup of D threads per query row.
KERNEL(combine) {
  const int d = int(thread_index_in_threadgroup);
  const int h = int(threadgroup_position_in_grid.x);
  const int i = int(threadgroup_position_in_grid.y);
  const int b = int(threadgroup_position_in_grid.z);
  const int64_t row = (int64_t(b) * Hq + h) * Lq + i;
  const device float* peaks = partial_peak + row * partial_peak_strides[2];
  const device float* sums = partial_sum + row * partial_sum_strides[2];
  float peak = -INFINITY;
  for (int p = 0; p < parts_now; ++p) peak = max(peak, peaks[p]);
  float sum = 0.0f;
  float total = 0.0f;
  for (int p = 0; p < parts_now; ++p) {
    if (!(peaks[p] > -INFINITY)) continue;
    const float weight = exp2_of(peaks[p] - peak);
    sum += weight * sums[p];
    total += weight * partial_output[(row * parts_now + p) * D + d];
  }
  output[b * output_strides[0] + h * output_strides[1] + i * output_strides[2] +
         d] = bfloat16_t(sum > 0.0f ? total / sum : 0.0f);
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
