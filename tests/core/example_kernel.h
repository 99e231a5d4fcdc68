// A kernel file that uses every key of a plan, and a signature for it.
#pragma once

#include <string>
#include <string_view>

#include "evoke/core/kernel_source.h"
#include "evoke/core/problem.h"

namespace evoke {

inline constexpr std::string_view kExamplePlan = R"plan(
problem = "attention"
summary = "decode: split-KV, then combine; prefill: one pass"
atomics = true

[parameters]
splits  = { value = 16, choices = [1, 2, 4, 8, 16, 32] }
tile_kv = { value = 64, choices = [32, 64, 128] }
unroll = 4
constraints = ["tile_kv * D * 4 <= 65536", "splits >= 1"]

[scratch]
partial_output = { type = "float32", shape = ["B", "Hq", "Lq", "rounds", "D"] }
partial_lse = { type = "float32", shape = ["B", "Hq", "Lq", "rounds"] }
tickets = { type = "int32", shape = ["B", "Hkv"], init = "zero", self_reset = true }

[derive]
rounds = "min(splits, ceil_div(Lk, tile_kv))"
more_rounds = "rounds + num_sms"

[[variant]]
name = "decode"
when = "Lq == 1 && Lk >= 1024"
parameters = { tile_kv = 128 }
[[variant.launch]]
kernel = "decode_partial"
reads = ["query", "key", "value"]
writes = ["partial_output", "partial_lse", "tickets"]
threadgroups = ["Hkv", "rounds", "B"]
threads = [128, 1, 1]
dynamic_memory = "2 * tile_kv * D * 2"
[[variant.launch]]
kernel = "decode_combine"
reads = ["partial_output", "partial_lse"]
writes = ["output"]
threadgroups = ["B * Hq"]

[[variant]]
name = "prefill"
[[variant.launch]]
kernel = "prefill"
reads = ["query", "key", "value"]
writes = ["output"]
threadgroups = ["ceil_div(Lq, 32)", "Hq", "B"]
)plan";

inline constexpr std::string_view kExampleCode = R"(
// Shared text.
inline float twice(float x) { return x + x; }
// EVOLVE-BLOCK-START
KERNEL(decode_partial) { (void)twice(1.0f); }
KERNEL(decode_combine) {}
// EVOLVE-BLOCK-END
// More shared text.
// EVOLVE-BLOCK-START
KERNEL(prefill) {}
// EVOLVE-BLOCK-END
// The end.
)";

inline std::string kernel_file(std::string_view plan, std::string_view code) {
  return std::string("/*evoke").append(plan).append("evoke*/").append(code);
}

inline std::string example_file() {
  return kernel_file(kExamplePlan, kExampleCode);
}

// `text` with the first `from` replaced by `to`.
inline std::string replaced(std::string text, std::string_view from,
                            std::string_view to) {
  const std::size_t at = text.find(from);
  if (at == std::string::npos) return "replaced(): '" + std::string(from) + "'";
  return text.replace(at, from.size(), to);
}

inline ProblemSignature example_signature() {
  ProblemSignature signature;
  signature.name = "attention";
  signature.tensors = {
      {"query", DType::bfloat16, {"B", "Hq", "Lq", "D"}, false},
      {"key", DType::bfloat16, {"B", "Hkv", "Lk", "D"}, false},
      {"value", DType::bfloat16, {"B", "Hkv", "Lk", "D"}, false},
      {"output", DType::bfloat16, {"B", "Hq", "Lq", "D"}, true}};
  signature.constants = {"D", "Hq", "Hkv", "causal"};
  signature.sizes = {"B", "Lq", "Lk"};
  signature.scalars = {"scale"};
  return signature;
}

inline Shape example_shape(int64_t q_len, int64_t kv_len) {
  Shape shape;
  shape.name.append("q").append(std::to_string(q_len));
  shape.name.append("-kv").append(std::to_string(kv_len));
  shape.values = {{"B", 1},   {"Hq", 16},     {"Hkv", 8},   {"Lq", q_len},
                  {"D", 128}, {"Lk", kv_len}, {"causal", 1}};
  shape.scalars = {{"scale", 0.0883883461F}};
  return shape;
}

}  // namespace evoke
