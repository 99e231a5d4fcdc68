// A small kernel file of the metal dialect, for tests.
#pragma once

#include <string>
#include <vector>

#include "evoke/core/kernel_source.h"
#include "evoke/core/problem.h"

namespace evoke::testing {

inline ProblemSignature metal_signature() {
  const std::vector<std::string> rows = {"B", "Hq", "Lq", "D"};
  const std::vector<std::string> keys = {"B", "Hkv", "Lk", "D"};
  return {"attention",
          {{"query", DType::bfloat16, rows, false},
           {"key", DType::bfloat16, keys, false},
           {"value", DType::bfloat16, keys, false},
           {"output", DType::bfloat16, rows, true}},
          {"D", "Hkv", "Hq", "causal"},
          {"B", "Lk", "Lq"},
          {"scale"}};
}

// clang-format off
inline constexpr const char* kTwoLaunches = R"kernel(/*evoke
problem = "attention"
[parameters]
splits = { value = 4, choices = [1, 2, 4] }
[derive]
parts = "min(splits, Lk)"
unused = "Lk + 1"
[scratch]
sums = { type = "float32", shape = ["B", "Hq", "parts"], init = "zero" }
[[variant]]
name = "all"
[[variant.launch]]
kernel = "partial"
reads = ["query", "key"]
writes = ["sums"]
threadgroups = ["Hq"]
threads = [32]
[[variant.launch]]
kernel = "finish"
reads = ["sums", "value"]
writes = ["output"]
threadgroups = ["Hq"]
threads = [32]
evoke*/
// helper
inline float twice(float x) { return x + x; }
KERNEL(partial) {
  // key_strides
  sums[sums_strides[1] * threadgroup_position_in_grid.x] =
      query[0] * scale * parts;
}
KERNEL(finish) { output[0] = twice(sums[0]); }
)kernel";
// clang-format on

inline Symbols metal_constants() {
  return {{"D", 128}, {"Hq", 16}, {"Hkv", 8}, {"causal", 1}, {"splits", 4}};
}

}  // namespace evoke::testing
