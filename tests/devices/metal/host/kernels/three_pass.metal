/*evoke
problem = "attention"
summary = "the plain three passes with float accumulators: one thread per query row"

[parameters]
rows = { value = 64, choices = [32, 64, 128] }

[[variant]]
name = "any"
[[variant.launch]]
kernel = "three_pass"
reads = ["query", "key", "value"]
writes = ["output"]
threadgroups = ["ceil_div(Lq, rows)", "Hq", "B"]
threads = ["rows", 1, 1]
evoke*/
// EVOLVE-BLOCK-START
KERNEL(three_pass) {
  const int i = int(thread_position_in_grid.x);
  const int h = int(thread_position_in_grid.y);
  const int b = int(thread_position_in_grid.z);
  if (i >= Lq) return;
  const int kv = h / (Hq / Hkv);
  const int last = causal ? Lk - Lq + i + 1 : Lk;
  const device bfloat16_t* q = query + b * query_strides[0] +
                               h * query_strides[1] + i * query_strides[2];
  const device bfloat16_t* k = key + b * key_strides[0] + kv * key_strides[1];
  const device bfloat16_t* v =
      value + b * value_strides[0] + kv * value_strides[1];
  device bfloat16_t* out = output + b * output_strides[0] +
                           h * output_strides[1] + i * output_strides[2];
  float q_row[D];
  for (int d = 0; d < D; ++d) q_row[d] = float(q[d]) * scale;
  float peak = -INFINITY;
  for (int j = 0; j < last; ++j) {
    float score = 0.0f;
    for (int d = 0; d < D; ++d) {
      score += q_row[d] * float(k[j * key_strides[2] + d]);
    }
    peak = max(peak, score);
  }
  float sum = 0.0f;
  float acc[D];
  for (int d = 0; d < D; ++d) acc[d] = 0.0f;
  for (int j = 0; j < last; ++j) {
    float score = 0.0f;
    for (int d = 0; d < D; ++d) {
      score += q_row[d] * float(k[j * key_strides[2] + d]);
    }
    const float weight = exp(score - peak);
    sum += weight;
    for (int d = 0; d < D; ++d) {
      acc[d] += weight * float(v[j * value_strides[2] + d]);
    }
  }
  for (int d = 0; d < D; ++d) out[d] = bfloat16_t(acc[d] / sum);
}
// EVOLVE-BLOCK-END
