// A plain kernel of the cpu dialect: attention, one row per threadgroup.
#pragma once

#include <string>

namespace evoke::test {

struct RowKernel {
  std::string when = "1";
  std::string scratch;                  // "[scratch]\n..."
  std::string writes = "\"output\"";    // of the plan
  std::string result = "acc[d] / sum";  // what is written to out[d]
  std::string after;  // code at the end; h, i, b, out are known

  // A kernel file with one variant, "rows".
  std::string text() const {
    return "/*evoke\nproblem = \"attention\"\nsummary = \"one pass\"\n" +
           scratch + "\n[[variant]]\nname = \"rows\"\nwhen = \"" + when +
           "\"\n[[variant.launch]]\nkernel = \"attend\"\n"
           "reads = [\"query\", \"key\", \"value\"]\nwrites = [" +
           writes +
           "]\nthreadgroups = [\"Hq\", \"Lq\", \"B\"]\nevoke*/\n"
           R"(KERNEL(attend) {
  const int h = threadgroup_position_in_grid.x;
  const int i = threadgroup_position_in_grid.y;
  const int b = threadgroup_position_in_grid.z;
  const int kv = h / (Hq / Hkv);
  const bfloat16* q = query + b * query_strides[0] + h * query_strides[1] +
                      i * query_strides[2];
  const bfloat16* k = key + b * key_strides[0] + kv * key_strides[1];
  const bfloat16* v = value + b * value_strides[0] + kv * value_strides[1];
  const int last = causal ? Lk - Lq + i + 1 : Lk;
  float peak = -INFINITY;
  float sum = 0.0f;
  float acc[D] = {};
  for (int j = 0; j < last; ++j) {
    float score = 0.0f;
    for (int d = 0; d < D; ++d) {
      score += static_cast<float>(q[d]) *
               static_cast<float>(k[j * key_strides[2] + d]);
    }
    score *= scale;
    const float top = std::max(peak, score);
    const float old = std::exp(peak - top);
    const float weight = std::exp(score - top);
    sum = sum * old + weight;
    peak = top;
    for (int d = 0; d < D; ++d) {
      acc[d] = acc[d] * old +
               weight * static_cast<float>(v[j * value_strides[2] + d]);
    }
  }
  bfloat16* out = output + b * output_strides[0] + h * output_strides[1] +
                  i * output_strides[2];
  for (int d = 0; d < D; ++d) out[d] = )" +
           result + ";\n" + after + "}\n";
  }
};

}  // namespace evoke::test
