/*evoke
problem = "attention"
summary = "three passes over the keys for each query, one thread per query: greatest score, sum of exponentials, weighted values"

[parameters]
group = { value = 64, choices = [32, 64, 128, 256] }
chunk = { value = 32, choices = [16, 32, 64, 128] }
constraints = ["D % chunk == 0", "Hq % Hkv == 0"]

[[variant]]
name = "any"
[[variant.launch]]
kernel = "attend"
reads = ["query", "key", "value"]
writes = ["output"]
threadgroups = ["ceil_div(Lq, group)", "Hq", "B"]
threads = ["group", 1, 1]
evoke*/

// The plainest right answer: one thread has one query of one head, and walks
// over the keys three times. Every score is computed in each pass anew; the
// values are weighted for `chunk` columns at a time, so that registers hold
// them.
//
// Genes: group   queries per block
//        chunk   columns of the output per walk of the third pass

// EVOLVE-BLOCK-START
EVOKE_DEVICE float dot(const Vector16 (&q)[D / 8], const bfloat16* k) {
  float sum = 0;
#pragma unroll
  for (int i = 0; i < D / 8; ++i) {
    const Vector16 x = *reinterpret_cast<const Vector16*>(k + 8 * i);
#pragma unroll
    for (int w = 0; w < 4; ++w) {
      sum = __fmaf_rn(low_of(q[i].word[w]), low_of(x.word[w]), sum);
      sum = __fmaf_rn(high_of(q[i].word[w]), high_of(x.word[w]), sum);
    }
  }
  return sum;
}

KERNEL(attend) {
  const int i = blockIdx.x * group + threadIdx.x;
  const int head = blockIdx.y;
  const int b = blockIdx.z;
  if (i >= Lq) return;
  const int of_head = head / (Hq / Hkv);
  // Causal is aligned at the bottom right: query i sees Lk - Lq + i + 1 keys.
  const int visible = causal ? max(0, min(Lk, Lk - Lq + i + 1)) : Lk;
  const float log2_scale = scale * kLog2E;
  const bfloat16* const q_row = query + b * query_strides[0] +
                                head * query_strides[1] + i * query_strides[2];
  const bfloat16* const keys =
      key + b * key_strides[0] + of_head * key_strides[1];
  const bfloat16* const values =
      value + b * value_strides[0] + of_head * value_strides[1];
  bfloat16* const out_row = output + b * output_strides[0] +
                            head * output_strides[1] + i * output_strides[2];

  Vector16 q[D / 8];
#pragma unroll
  for (int n = 0; n < D / 8; ++n) {
    q[n] = *reinterpret_cast<const Vector16*>(q_row + 8 * n);
  }
  float greatest = -INFINITY;
  for (int j = 0; j < visible; ++j) {
    greatest = fmaxf(greatest, dot(q, keys + j * key_strides[2]) * log2_scale);
  }
  float sum = 0;
  for (int j = 0; j < visible; ++j) {
    sum += exp2f(dot(q, keys + j * key_strides[2]) * log2_scale - greatest);
  }
  const float inverse = visible > 0 ? 1.0f / sum : 0.0f;
  for (int first = 0; first < D; first += chunk) {
    float out[chunk] = {};
    for (int j = 0; j < visible; ++j) {
      const float p =
          exp2f(dot(q, keys + j * key_strides[2]) * log2_scale - greatest);
      const bfloat16* const row = values + j * value_strides[2] + first;
#pragma unroll
      for (int n = 0; n < chunk / 8; ++n) {
        const Vector16 v = *reinterpret_cast<const Vector16*>(row + 8 * n);
#pragma unroll
        for (int w = 0; w < 4; ++w) {
          float* const o = &out[8 * n + 2 * w];
          o[0] = __fmaf_rn(p, low_of(v.word[w]), o[0]);
          o[1] = __fmaf_rn(p, high_of(v.word[w]), o[1]);
        }
      }
    }
#pragma unroll
    for (int n = 0; n < chunk / 2; ++n) {
      reinterpret_cast<uint32_t*>(out_row + first)[n] =
          pack_bfloat16(out[2 * n] * inverse, out[2 * n + 1] * inverse);
    }
  }
}
// EVOLVE-BLOCK-END
