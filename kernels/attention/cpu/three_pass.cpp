/*evoke
problem = "attention"
summary = "three passes over the keys for each query: greatest score, sum of exponentials, weighted values"

[parameters]
exp_degree = { value = 0, choices = [0, 3, 4, 5, 6] }
keep_scores = { value = 0, choices = [0, 1] }
partial_sums = { value = 1, choices = [1, 4, 8, 16, 32] }
constraints = ["D % 32 == 0", "Hq % Hkv == 0"]

[[variant]]
name = "any"
when = "1"
[[variant.launch]]
kernel = "attend"
reads = ["query", "key", "value"]
writes = ["output"]
threadgroups = ["Hq", "Lq", "B"]
threads = [1, 1, 1]
dynamic_memory = "keep_scores * align_up(Lk, 16) * 4"
evoke*/

// The plainest right answer: one query of one head at a time, in plain loops.
//
// Genes: partial_sums  sums that a dot product is cut into; one is a chain of
//                      dependent additions, 16 or 32 become vectors
//        keep_scores   0 computes every score in each pass anew, 1 keeps them
//        exp_degree    polynomial of exp2; 0 is the C library's

// EVOLVE-BLOCK-START
inline float dot(const float* q, const bfloat16* k) {
  float sums[partial_sums] = {};
  for (int d = 0; d < D; d += partial_sums) {
    for (int n = 0; n < partial_sums; ++n) {
      sums[n] += q[d + n] * static_cast<float>(k[d + n]);
    }
  }
  float total = 0;
  for (int n = 0; n < partial_sums; ++n) total += sums[n];
  return total;
}

inline float exp2_of(float x) {
  return exp_degree == 0 ? exp2f(x) : exp2_lanes<exp_degree>(splat(x))[0];
}

KERNEL(attend) {
  const int head = threadgroup_position_in_grid.x;
  const int i = threadgroup_position_in_grid.y;
  const int b = threadgroup_position_in_grid.z;
  const int group = head / (Hq / Hkv);
  // Causal is aligned at the bottom right: query i sees Lk - Lq + i + 1 keys.
  const int visible = causal ? std::clamp(Lk - Lq + i + 1, 0, Lk) : Lk;
  const float log2_scale = scale * kLog2E;

  const bfloat16* const q_row = query + b * query_strides[0] +
                                head * query_strides[1] + i * query_strides[2];
  const bfloat16* const keys =
      key + b * key_strides[0] + group * key_strides[1];
  const bfloat16* const values =
      value + b * value_strides[0] + group * value_strides[1];
  float q[D];
  for (int d = 0; d < D; ++d) q[d] = q_row[d];

  float* const kept = reinterpret_cast<float*>(threadgroup_memory);
  const auto score = [&](int j) {
    return dot(q, keys + j * key_strides[2]) * log2_scale;
  };

  float greatest = -INFINITY;
  for (int j = 0; j < visible; ++j) {
    const float x = score(j);
    if constexpr (keep_scores != 0) kept[j] = x;
    greatest = std::max(greatest, x);
  }

  float sum = 0;
  for (int j = 0; j < visible; ++j) {
    const float x = keep_scores != 0 ? kept[j] : score(j);
    const float p = exp2_of(x - greatest);
    if constexpr (keep_scores != 0) kept[j] = p;
    sum += p;
  }

  float out[D] = {};
  for (int j = 0; j < visible; ++j) {
    const float p = keep_scores != 0 ? kept[j] : exp2_of(score(j) - greatest);
    const bfloat16* const row = values + j * value_strides[2];
    for (int d = 0; d < D; ++d) out[d] += p * static_cast<float>(row[d]);
  }

  const float inverse = visible > 0 ? 1.0f / sum : 0.0f;
  bfloat16* const out_row = output + b * output_strides[0] +
                            head * output_strides[1] + i * output_strides[2];
  for (int d = 0; d < D; ++d) out_row[d] = out[d] * inverse;
}
// EVOLVE-BLOCK-END
