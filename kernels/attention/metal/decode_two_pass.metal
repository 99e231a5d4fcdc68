/*evoke
problem = "attention"
summary = "decode: keys dealt out to threadgroups, partial results combined by a second launch; query heads of a key head share each load"

[parameters]
simdgroups = { value = 8, choices = [1, 2, 4, 8, 16, 32] }
keys_per_step = { value = 2, choices = [1, 2, 4] }
fast_exp = { value = 0, choices = [0, 1] }
parts = { value = 32, choices = [4, 8, 16, 32, 64, 128] }
constraints = ["D % 32 == 0", "Hq % Hkv == 0", "(simdgroups * D + 2 * simdgroups * (Hq / Hkv)) * 4 <= max_threadgroup_memory"]

[scratch]
partial_output = { type = "float32", shape = ["B", "Hq", "Lq", "parts_now", "D"] }
partial_peak   = { type = "float32", shape = ["B", "Hq", "Lq", "align_up(parts_now, 8)"] }
partial_sum    = { type = "float32", shape = ["B", "Hq", "Lq", "align_up(parts_now, 8)"] }

[derive]
parts_now = "max(1, min(parts, ceil_div(Lk, simdgroups * keys_per_step)))"

[[variant]]
name = "any"
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
evoke*/

// The plan of MLX's two-pass vector attention, for contexts so long that a
// threadgroup per key head does not fill the GPU. As in decode_one_pass.metal
// each key and value is loaded once for all query heads that share it.
//
// Genes: parts          threadgroups that the keys of a head are dealt out to
//        simdgroups     of a threadgroup
//        keys_per_step  keys that a simdgroup has in flight
//        fast_exp       1 is metal::fast::exp2

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
// EVOLVE-BLOCK-END
