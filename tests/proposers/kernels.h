// Kernel files for tests: small, complete, and of two families.
#pragma once

#include <string>
#include <string_view>

#include "evoke/core/kernel_source.h"

namespace evoke::kernels {

inline KernelSource parsed(std::string_view text) {
  return KernelSource::parse(text, Dialect::cpu, "test.cpp").value();
}

// Two variants, overrides, a constraint among parameters and one with D.
inline constexpr std::string_view kSplit = R"kernel(/*evoke
problem = "attention"
summary = "split keys"

[parameters]
splits = { value = 4, choices = [1, 2, 4, 8] }
tile_kv = { value = 64, choices = [32, 64, 128] }
width = 8
constraints = ["splits * tile_kv <= 512", "tile_kv % (D / 4) == 0"]

[scratch]
partial = { type = "float32", shape = ["B", "Hq", "rounds", "D"] }

[derive]
rounds = "min(splits, Lk)"

[[variant]]
name = "decode"
when = "Lq == 1 && Lk >= 256"
parameters = { tile_kv = 128 }
[[variant.launch]]
kernel = "decode_partial"
reads = ["query", "key", "value"]
writes = ["partial"]
threadgroups = ["Hq", "rounds", "B"]
[[variant.launch]]
kernel = "decode_combine"
reads = ["partial"]
writes = ["output"]
threadgroups = ["Hq", "B"]

[[variant]]
name = "any"
[[variant.launch]]
kernel = "one_pass"
reads = ["query", "key", "value"]
writes = ["output"]
threadgroups = ["Hq", "Lq", "B"]
evoke*/
// A comment that speaks of splits and of KERNEL(nothing).
// EVOLVE-BLOCK-START
struct Row {
  float sum = 0;
};
constexpr int kStep = tile_kv / width;

inline float dot(const Row& row, int n) {
  float total = row.sum;
  for (int i = 0; i < n; ++i) { total += kStep; }
  return total;
}

KERNEL(decode_partial) {
  Row row;
  partial[partial_strides[0]] = dot(row, splits);
}
KERNEL(decode_combine) { output[0] = partial[0] + rounds; }

inline int only_one_pass() { return tile_kv; }
KERNEL(one_pass) {
  Row row;
  output[0] = dot(row, only_one_pass());
}
// EVOLVE-BLOCK-END
)kernel";

// One variant; its names collide with kSplit's.
inline constexpr std::string_view kTiled = R"kernel(/*evoke
problem = "attention"
summary = "tiles"

[parameters]
tile_kv = { value = 96, choices = [48, 96] }
tile_q = { value = 16, choices = [16, 32] }

[[variant]]
name = "any"
[[variant.launch]]
kernel = "attend"
reads = ["query", "key", "value"]
writes = ["output"]
threadgroups = ["ceil_div(Lq, tile_q)", "Hq", "B"]
dynamic_memory = "tile_q * tile_kv * 4"
evoke*/
// Tiles; the comment is fixed text, too, but says nothing to a compiler.
// EVOLVE-BLOCK-START
static_assert(tile_kv % tile_q == 0);
template <int n>
inline float dot(const float* x) {
  return x[n] * tile_kv;
}
KERNEL(attend) {
  // dot and tile_kv in a comment stay as they are
  const float x[2] = {1, 2};
  output[0] = dot<1>(x) + tile_q;
}
// EVOLVE-BLOCK-END
)kernel";

}  // namespace evoke::kernels
