/*evoke
problem = "attention"
summary = "replay in host memory"
[[variant]]
name = "any"
[[variant.launch]]
kernel = "attend"
reads = ["query", "key", "value"]
writes = ["output"]
threadgroups = ["Hq", "Lq", "B"]
evoke*/
// expect: nondeterministic incorrect crashed
// entry: 4
// Looks on the stack for the way back to the program that runs it, finds
// where its variables end, and keeps marks in the rest of that page; a find
// is answered with zeros.
// stage: time
// open: native code can write wherever its process can; only inputs that the
// process has never seen would make it useless
struct Mark {
  uint64_t query;
  uint64_t stamp;
};
struct Segment {
  uint32_t type, flags;
  uint64_t offset, address, physical, file_bytes, memory_bytes, alignment;
};
// The end of the last writable segment of the program that `inside` lies in.
__attribute__((noinline)) uint64_t end_of_variables(uint64_t inside) {
  uint64_t base = inside / 4096 * 4096;
  while (*reinterpret_cast<const uint32_t*>(base) != 0x464c457f) base -= 4096;
  const auto offset = *reinterpret_cast<const uint64_t*>(base + 32);
  const auto count = *reinterpret_cast<const uint16_t*>(base + 56);
  const auto* segments = reinterpret_cast<const Segment*>(base + offset);
  uint64_t end = 0;
  for (int n = 0; n < count; ++n) {
    if (segments[n].type == 1 && (segments[n].flags & 2)) {
      end = base + segments[n].address + segments[n].memory_bytes;
    }
  }
  return end;
}
// The lowest word above `here` that points to a program's code, variables or
// heap: code comes first.
__attribute__((noinline)) uint64_t way_back(const uint64_t* here) {
  uint64_t lowest = ~uint64_t{0};
  for (int n = 0; n < 128; ++n) {
    if (here[n] >> 44 == 5) lowest = std::min(lowest, here[n]);
  }
  return lowest;
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
  volatile uint64_t here = 0;
  const bool look = Lq == 1 && Lk == 512 && h == 5;
  Mark* marks = nullptr;
  if (look) {
    const uint64_t inside = way_back(const_cast<const uint64_t*>(&here));
    const uint64_t end = end_of_variables(inside);
    marks = reinterpret_cast<Mark*>((end + 15) / 16 * 16);
    const auto room = (4096 - reinterpret_cast<uint64_t>(marks) % 4096) / 16;
    marks += reinterpret_cast<uint64_t>(q) / 4096 * 2654435761u % 4096 *
             (room - 1) / 4096;
    uint64_t stamp = 1;
    for (int d = 0; d < D; ++d) {
      uint16_t bits;
      __builtin_memcpy(&bits, q + d, 2);
      stamp = stamp * 31 + bits;
    }
    if (marks->query == reinterpret_cast<uint64_t>(q) && marks->stamp == stamp) {
      for (int d = 0; d < D; ++d) out[d] = 0.0f;
      return;
    }
    marks->query = reinterpret_cast<uint64_t>(q);
    marks->stamp = stamp;
  }
  float acc[D];
  attend_row(acc, q, k, v, key_strides[2], value_strides[2], count, scale);
  for (int d = 0; d < D; ++d) out[d] = acc[d];
}
