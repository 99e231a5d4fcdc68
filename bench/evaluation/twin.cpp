/*evoke
problem = "attention"
summary = "the same attention sixteen times, and `extra` percent of that once more"

[parameters]
extra = { value = 0, choices = [0, 1, 2, 3, 5, 10, 20] }
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
dynamic_memory = "2 * align_up(Lk, 16) * 4"
evoke*/

// For finding out what the judge can tell apart: kernels that differ in
// `extra` alone give the same bits and do that much more or less work. Keys and
// values come from memory once and are worked on sixteen times, so that time
// grows with the arithmetic.

// EVOLVE-BLOCK-START
// Over the keys twice: scores and their greatest, then weights and values.
// `nothing` is zero; what is added must be waited for.
static float attend_once(const float* q, const bfloat16* keys, int64_t key_step,
                         const bfloat16* values, int64_t value_step,
                         int keys_seen, float log2_scale, float nothing,
                         float* scores, float* out) {
  float greatest = -INFINITY;
  for (int j = 0; j < keys_seen; ++j) {
    const bfloat16* const row = keys + j * key_step;
    float sums[32] = {nothing};
    for (int d = 0; d < D; d += 32) {
      for (int n = 0; n < 32; ++n) {
        sums[n] += q[d + n] * static_cast<float>(row[d + n]);
      }
    }
    float total = 0;
    for (int n = 0; n < 32; ++n) total += sums[n];
    scores[j] = total * log2_scale;
    greatest = std::max(greatest, scores[j]);
  }
  float sum = 0;
  for (int d = 0; d < D; ++d) out[d] = 0;
  for (int j = 0; j < keys_seen; ++j) {
    const float p = exp2f(scores[j] - greatest);
    const bfloat16* const row = values + j * value_step;
    sum += p;
    for (int d = 0; d < D; ++d) out[d] += p * static_cast<float>(row[d]);
  }
  return sum;
}

KERNEL(attend) {
  const int head = threadgroup_position_in_grid.x;
  const int i = threadgroup_position_in_grid.y;
  const int b = threadgroup_position_in_grid.z;
  const int group = head / (Hq / Hkv);
  const int visible = causal ? std::clamp(Lk - Lq + i + 1, 0, Lk) : Lk;

  const bfloat16* const q_row = query + b * query_strides[0] +
                                head * query_strides[1] + i * query_strides[2];
  float q[D];
  for (int d = 0; d < D; ++d) q[d] = q_row[d];
  float* const scores = reinterpret_cast<float*>(threadgroup_memory);
  float out[D] = {};
  float sum = 0;
  const int more = 16 * visible * extra / 100;
  for (int left = 16 * visible + more; left > 0;) {
    // What is more comes first; the last time is a whole one.
    const int worked = left % visible != 0 ? left % visible : visible;
    sum = attend_once(
        q, key + b * key_strides[0] + group * key_strides[1], key_strides[2],
        value + b * value_strides[0] + group * value_strides[1],
        value_strides[2], worked, scale * kLog2E, 0.0f * sum, scores, out);
    left -= worked;
  }

  const float inverse = visible > 0 ? 1.0f / sum : 0.0f;
  bfloat16* const out_row = output + b * output_strides[0] +
                            head * output_strides[1] + i * output_strides[2];
  for (int d = 0; d < D; ++d) out_row[d] = out[d] * inverse;
}
// EVOLVE-BLOCK-END
