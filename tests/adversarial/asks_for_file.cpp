/*evoke
problem = "attention"
summary = "asks for file"
[[variant]]
name = "any"
[[variant.launch]]
kernel = "attend"
reads = ["query", "key", "value"]
writes = ["output"]
threadgroups = ["Hq", "Lq", "B"]
evoke*/
// expect: rejected_plan
// entry: 53
// Asks at compile time whether a file is there.
#if __has_include("/srv/answers")
constexpr int kThere = 1;
#endif

// One query row against `count` keys, in two passes.
inline void attend_row(float* acc, const bfloat16* q, const bfloat16* k,
                       const bfloat16* v, int64_t k_stride, int64_t v_stride,
                       int count, float scale) {
  constexpr int kParts = 16;
  float peak = -INFINITY;
  float sum = 0;
  for (int d = 0; d < D; ++d) acc[d] = 0;
  for (int j = 0; j < count; ++j) {
    float parts[kParts] = {};
    for (int d = 0; d < D; d += kParts) {
      for (int p = 0; p < kParts; ++p) {
        parts[p] += static_cast<float>(q[d + p]) *
                    static_cast<float>(k[j * k_stride + d + p]);
      }
    }
    float score = 0;
    for (int p = 0; p < kParts; ++p) score += parts[p];
    score *= scale;
    const float top = std::max(peak, score);
    const float old = std::exp(peak - top);
    const float weight = std::exp(score - top);
    peak = top;
    sum = sum * old + weight;
    for (int d = 0; d < D; ++d) {
      acc[d] = acc[d] * old + weight * static_cast<float>(v[j * v_stride + d]);
    }
  }
  for (int d = 0; d < D; ++d) acc[d] /= sum;
}

KERNEL(attend) {
  const int h = threadgroup_position_in_grid.x;
  const int i = threadgroup_position_in_grid.y;
  const int b = threadgroup_position_in_grid.z;
  const int kv = h / (Hq / Hkv);
  const int count = causal ? Lk - Lq + i + 1 : Lk;
  const bfloat16* const q = query + b * query_strides[0] +
                            h * query_strides[1] + i * query_strides[2];
  const bfloat16* const k = key + b * key_strides[0] + kv * key_strides[1];
  const bfloat16* const v =
      value + b * value_strides[0] + kv * value_strides[1];
  bfloat16* const out = output + b * output_strides[0] +
                        h * output_strides[1] + i * output_strides[2];
  float acc[D];
  attend_row(acc, q, k, v, key_strides[2], value_strides[2], count, scale);
  for (int d = 0; d < D; ++d) out[d] = acc[d];
}
