/*evoke
problem = "attention"
summary = "three passes over the keys, one thread per query: greatest score, sum of exponentials, weighted values"

[parameters]
row_threads = { value = 32, choices = [32, 64, 128, 256] }
partial_sums = { value = 4, choices = [1, 2, 4, 8] }
constraints = ["D % 8 == 0", "Hq % Hkv == 0"]

[[variant]]
name = "any"
[[variant.launch]]
kernel = "attend"
reads = ["query", "key", "value"]
writes = ["output"]
threadgroups = ["ceil_div(Lq, row_threads)", "Hq", "B"]
threads = ["row_threads"]
evoke*/

// The algorithm of OpenEvolve's Metal example, a thread per query, with sums
// in float: that example adds up in bfloat16. Scores are computed anew in each
// pass, so that no array is as long as the context.
//
// Genes: row_threads   queries of one threadgroup
//        partial_sums  sums that a dot product is cut into

// EVOLVE-BLOCK-START
inline float dot_row(const thread float* q, const device bfloat16_t* k) {
  float sums[partial_sums] = {};
  for (int d = 0; d < D; d += partial_sums) {
    for (int n = 0; n < partial_sums; ++n) sums[n] += q[d + n] * float(k[d + n]);
  }
  float total = 0.0f;
  for (int n = 0; n < partial_sums; ++n) total += sums[n];
  return total;
}

KERNEL(attend) {
  const int i = int(thread_position_in_grid.x);
  const int h = int(thread_position_in_grid.y);
  const int b = int(thread_position_in_grid.z);
  if (i >= Lq) return;
  const int kv_head = h / (Hq / Hkv);
  // Causal is aligned at the bottom right: query i sees Lk - Lq + i + 1 keys.
  const int visible = causal != 0 ? clamp(Lk - Lq + i + 1, 0, int(Lk)) : Lk;

  const device bfloat16_t* q_row = query + b * query_strides[0] +
                                   h * query_strides[1] + i * query_strides[2];
  const device bfloat16_t* keys =
      key + b * key_strides[0] + kv_head * key_strides[1];
  const device bfloat16_t* values =
      value + b * value_strides[0] + kv_head * value_strides[1];
  float q[D];
  for (int d = 0; d < D; ++d) q[d] = float(q_row[d]) * scale;

  float peak = -INFINITY;
  for (int j = 0; j < visible; ++j) {
    peak = max(peak, dot_row(q, keys + j * key_strides[2]));
  }
  float sum = 0.0f;
  for (int j = 0; j < visible; ++j) {
    sum += exp(dot_row(q, keys + j * key_strides[2]) - peak);
  }
  const float inverse = sum > 0.0f ? 1.0f / sum : 0.0f;
  float acc[D];
  for (int d = 0; d < D; ++d) acc[d] = 0.0f;
  for (int j = 0; j < visible; ++j) {
    const float weight =
        exp(dot_row(q, keys + j * key_strides[2]) - peak) * inverse;
    const device bfloat16_t* v = values + j * value_strides[2];
    for (int d = 0; d < D; ++d) acc[d] += weight * float(v[d]);
  }
  device bfloat16_t* out = output + b * output_strides[0] +
                           h * output_strides[1] + i * output_strides[2];
  for (int d = 0; d < D; ++d) out[d] = bfloat16_t(acc[d]);
}
// EVOLVE-BLOCK-END
