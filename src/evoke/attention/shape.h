// Sizes of one attention call. Layout of every tensor: (B, H, L, D).
#pragma once

#include <cstdint>
#include <string>

#include "evoke/base/error.h"
#include "evoke/core/problem.h"

namespace evoke::attention {

struct AttentionShape {
  int64_t B = 1;
  int64_t Hq = 16;
  int64_t Hkv = 8;
  int64_t Lq = 1;
  int64_t Lk = 1;
  int64_t D = 128;
  bool causal = false;  // bottom-right: query i sees keys <= Lk - Lq + i

  float scale() const;  // 1 / sqrt(D)
  int64_t group() const { return Hq / Hkv; }
  int64_t num_rows() const { return B * Hq * Lq; }
  // Keys that query row i sees; 0 for an empty softmax (causal, Lq > Lk).
  int64_t visible_keys(int64_t i) const;
  // Sum of visible_keys over all rows: the unit of work, 4 D flops each.
  int64_t key_rows() const;
  // "decode-4096", "prefill-512-causal", "chunk-7x2055-causal", with
  // "-b3" for a batch and "-h32:8" or "-d64" where not Qwen3-0.6B's.
  std::string name() const;

  bool operator==(const AttentionShape&) const = default;
};

// What is wrong with the sizes ("Hq is 15, not a multiple of Hkv 8"), or
// nothing.
Result<void> check(const AttentionShape& shape);

// `name` empty: shape.name().
Shape to_shape(const AttentionShape& shape, const std::string& name = {});
// Throws std::out_of_range when a letter is missing.
AttentionShape from_shape(const Shape& shape);

}  // namespace evoke::attention
