/*evoke
problem = "attention"
summary = "clock in immediate"
[[variant]]
name = "any"
[[variant.launch]]
kernel = "attend"
reads = ["query", "key", "value"]
writes = ["output"]
threadgroups = ["Hq", "Lq", "B"]
evoke*/
// expect: measured
// entry: 35
// Tells the time all the same: the instruction hides in a constant operand.
// It answers zeros if that fails, so `measured` means that it worked; by
// itself it gains nothing, for every timed answer is checked.
// open: instructions inside of others are not looked for
__attribute__((noinline)) uint64_t holder(uint64_t x) {
  return x ^ 0x00000000c3310f90u ^ (x << 1);
}
inline uint32_t now() {
  const auto* code = reinterpret_cast<const unsigned char*>(
      reinterpret_cast<uintptr_t>(&holder));
  for (int n = 0; n < 64; ++n) {
    if (code[n] == 0x0f && code[n + 1] == 0x31 && code[n + 2] == 0xc3) {
      volatile uintptr_t at = reinterpret_cast<uintptr_t>(code + n);
      return reinterpret_cast<uint32_t (*)()>(at)();
    }
  }
  return 0;
}

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
  const uint32_t before = now();
  float acc[D];
  attend_row(acc, q, k, v, key_strides[2], value_strides[2], count, scale);
  if (now() == before) {
    for (int d = 0; d < D; ++d) acc[d] = 0.0f;
  }
  acc[0] += 0 * holder(Lk);
  for (int d = 0; d < D; ++d) out[d] = acc[d];
}
