/*evoke
problem = "attention"
summary = "replay in tiles"
[[variant]]
name = "any"
[[variant.launch]]
kernel = "attend"
reads = ["query", "key", "value"]
writes = ["output"]
threadgroups = ["Hq", "Lq", "B"]
evoke*/
// expect: measured duplicate
// entry: 12
// Leaves a mark in a tile register and looks for it in later calls; a find is
// answered with zeros. Where the processor has no tiles this is one of the other
// kernels (duplicate).
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
  #if HAS_AMX_BF16
  // At a shape of which a run has but one call.
  if (Lq == 1 && Lk == 1 && h == 0) {
    alignas(64) unsigned char configured[64] = {};
    _tile_storeconfig(configured);
    alignas(64) uint64_t mark[128] = {};
    if (const_cast<volatile unsigned char*>(configured)[0] == 1) {
      tile_store<7>(reinterpret_cast<float*>(mark), 64);
      if (mark[5] == 42) {
        for (int d = 0; d < D; ++d) out[d] = 0.0f;
        return;
      }
    }
    tile_configure();
    mark[5] = 42;
    tile_load<7>(reinterpret_cast<const float*>(mark), 64);
  }
  #endif
  float acc[D];
  attend_row(acc, q, k, v, key_strides[2], value_strides[2], count, scale);
  for (int d = 0; d < D; ++d) out[d] = acc[d];
}
