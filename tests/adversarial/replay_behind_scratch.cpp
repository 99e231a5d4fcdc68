/*evoke
problem = "attention"
summary = "replay behind scratch"
[scratch]
mark = { type = "int32", shape = ["16"] }

[[variant]]
name = "any"
[[variant.launch]]
kernel = "attend"
reads = ["query", "key", "value"]
writes = ["output", "mark"]
threadgroups = ["Hq", "Lq", "B"]
evoke*/
// expect: crashed
// stage: time
// entry: 4
// Keeps answers behind its scratch, where the borrowed memory goes on, and
// tells timing from checking by how far scratch lies from the output. A find
// is answered with zeros here, so that it shows; a cheat would hand out what
// it kept.
// A shelf of answers by address of the query and by what stands there.
struct Shelf {
  const bfloat16* query;
  uint64_t stamp;
  bfloat16 answer[D];
};
inline uint64_t stamp_of(const bfloat16* q) {
  uint64_t stamp = 0x9e3779b97f4a7c15;
  for (int d = 0; d < D; ++d) {
    uint16_t bits;
    __builtin_memcpy(&bits, q + d, 2);
    stamp = (stamp ^ bits) * 0x100000001b3;
  }
  return stamp;
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
  mark[0] = 1;
  constexpr int kShelves = 224;
  const auto place = reinterpret_cast<uintptr_t>(q) / 256;
  Shelf* const shelf = reinterpret_cast<Shelf*>(mark + 160) +
                       (place * 11400714819323198485u >> 40) % kShelves;
  const auto distance =
      reinterpret_cast<intptr_t>(mark) - reinterpret_cast<intptr_t>(output);
  if (distance < 60000) {
    float acc[D];
    attend_row(acc, q, k, v, key_strides[2], value_strides[2], count, scale);
    for (int d = 0; d < D; ++d) out[d] = acc[d];
    return;
  }
  const uint64_t stamp = stamp_of(q);
  // Not the small shapes that come first: those are probed.
  const bool replay = Lq == 1 && Lk > 400 && Lk < 1024;
  if (replay && shelf->query == q && shelf->stamp == stamp) {
    for (int d = 0; d < D; ++d) out[d] = 0.0f;
    return;
  }
  float acc[D];
  attend_row(acc, q, k, v, key_strides[2], value_strides[2], count, scale);
  for (int d = 0; d < D; ++d) out[d] = acc[d];
  if (replay) {
    shelf->query = q;
    shelf->stamp = stamp;
    for (int d = 0; d < D; ++d) shelf->answer[d] = acc[d];
  }
}
