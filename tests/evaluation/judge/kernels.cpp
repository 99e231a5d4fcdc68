#include "tests/evaluation/judge/kernels.h"

namespace evoke::test {

std::string make_kernel(const KernelOptions& options) {
  std::string text = "/*evoke\nproblem = \"attention\"\nsummary = \"";
  text.append(options.summary).append("\"\n").append(options.plan);
  text.append("[[variant]]\nname = \"any\"\nwhen = \"").append(options.when);
  text.append(R"("
[[variant.launch]]
kernel = "attend"
reads = ["query", "key", "value"]
writes = [)");
  text.append(options.writes).append(R"(]
threadgroups = ["Hq", "Lq", "B"]
evoke*/
)");
  text.append(options.header).append(R"(
KERNEL(attend) {
  const int h = threadgroup_position_in_grid.x;
  const int i = threadgroup_position_in_grid.y;
  const int b = threadgroup_position_in_grid.z;
  const int kv = h / (Hq / Hkv);
  const int visible = causal ? Lk - Lq + i + 1 : Lk;
  const bfloat16* const q = query + b * query_strides[0] +
                            h * query_strides[1] + i * query_strides[2];
  const bfloat16* const k = key + b * key_strides[0] + kv * key_strides[1];
  const bfloat16* const v =
      value + b * value_strides[0] + kv * value_strides[1];
  bfloat16* const out = output + b * output_strides[0] +
                        h * output_strides[1] + i * output_strides[2];
)");
  text.append(options.before);
  text.append("\n  const int keys = ").append(options.keys).append(R"(;
  float acc[D] = {};
  float peak = -INFINITY;
  float sum = 0;
  for (int j = 0; j < keys; ++j) {
    float score = 0;
    for (int d = 0; d < D; ++d) {
      score += static_cast<float>(q[d]) *
               static_cast<float>(k[j * key_strides[2] + d]);
    }
    score *= scale;
    const float top = std::max(peak, score);
    const float old = std::exp(peak - top);
    const float weight = std::exp(score - top);
    peak = top;
    sum = sum * old + weight;
    for (int d = 0; d < D; ++d) {
      acc[d] = acc[d] * old +
               weight * static_cast<float>(v[j * value_strides[2] + d]);
    }
  }
  for (int d = 0; d < D; ++d) {
    acc[d] = sum > 0 ? acc[d] / sum : 0;
    out[d] = )");
  text.append(options.result).append(";\n  }\n");
  text.append(options.after).append("\n}\n");
  return text;
}

std::string make_slow_kernel(int times) {
  KernelOptions options;
  options.summary = "does its work " + std::to_string(times) + " times";
  // A sum that the compiler cannot know to be unused: the output would show
  // it if it were not a number.
  options.before = "  float waste = 0;\n  for (int t = 1; t < " +
                   std::to_string(times) + R"(; ++t) {
    for (int j = 0; j < visible; ++j) {
      float score = static_cast<float>(t);
      for (int d = 0; d < D; ++d) {
        score += static_cast<float>(q[d]) *
                 static_cast<float>(k[j * key_strides[2] + d]);
      }
      const float old = std::exp(std::min(waste - score, 0.0f));
      waste = old + score;
      for (int d = 0; d < D; ++d) {
        waste += 1e-6f * static_cast<float>(v[j * value_strides[2] + d]);
      }
    }
  }
)";
  options.result = "waste == waste ? acc[d] : 0.0f";
  return make_kernel(options);
}

}  // namespace evoke::test
