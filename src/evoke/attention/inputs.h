// Inputs of the gate and of timing: a pure function of (shape, kind, seed),
// one row at a time, so that nothing large needs to be kept.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "evoke/attention/shape.h"

namespace evoke::attention {

// What one key/value head (with its query heads) is made of. The base is
// N(0, 1) everywhere.
enum class InputKind {
  normal,
  needle,      // q = c k_j: one key takes nearly all the weight (c = 1.2) or
               // most of it (peak ln(keys) + 0.5 .. 5); j is the first, the
               // last, a tile's edge, the first masked key, ...; the other
               // keys as in contrast
  shift_up,    // every logit + 150, but - 150 at the first keys: overflows
               // without a subtracted maximum, or with a stale one
  shift_down,  // every logit - 150: a zero-filled extra key takes over
  outlier,     // one channel of key x 30: few keys count
  mixed,       // every row of every tensor has a scale of its own, 2^-4..2^2;
               // some queries and keys are zero, and a head's values are
               // 2^-20 or 2^17 times that
  contrast,    // values +-1 in two groups of keys that nearly cancel: what is
               // systematic in the probabilities stays, what is random does not
  sink,        // the first keys take most of the weight and the values of the
               // rest share a direction: what a coarse sum swallows shows
};
inline constexpr std::size_t kNumInputKinds = 8;
std::string_view to_string(InputKind kind);

// The names of inputs: every kind, and "blend", where the kinds take turns
// over the key/value heads in a secret order.
std::vector<std::string> input_names();
bool is_input_name(std::string_view name);

class InputGenerator {
 public:
  // Throws std::invalid_argument for an unknown name.
  InputGenerator(const AttentionShape& shape, std::string_view input,
                 uint64_t seed);

  const AttentionShape& shape() const { return shape_; }
  InputKind kind(int64_t b, int64_t kv_head) const;
  // Each writes D elements. Thread-safe.
  void query_row(int64_t b, int64_t head, int64_t i, uint16_t* bits) const;
  void key_row(int64_t b, int64_t kv_head, int64_t j, uint16_t* bits) const;
  void value_row(int64_t b, int64_t kv_head, int64_t j, uint16_t* bits) const;
  // Lk x D.
  void key_plane(int64_t b, int64_t kv_head, uint16_t* bits) const;
  void value_plane(int64_t b, int64_t kv_head, uint16_t* bits) const;

 private:
  // What makes one (b, kv_head) special; secret.
  struct Head {
    InputKind kind = InputKind::normal;
    int64_t channel = 0;
    std::vector<uint16_t> direction;  // +-1, D elements
    float value_gain = 1;             // of mixed
  };
  const Head& head(int64_t b, int64_t kv_head) const;
  uint64_t row_seed(int tensor, int64_t b, int64_t head, int64_t row) const;
  int64_t needle_of(int64_t b, int64_t head, int64_t i) const;

  AttentionShape shape_;
  std::array<uint64_t, 3> tensor_seeds_{};
  std::vector<Head> heads_;  // B * Hkv
};

// Everything as float32, contiguous (B, H, L, D): what emulations and mutants
// compute from. Every value is exactly representable in bfloat16.
struct FloatInputs {
  AttentionShape shape;
  std::vector<float> query;
  std::vector<float> key;
  std::vector<float> value;

  const float* query_row(int64_t b, int64_t h, int64_t i) const {
    return &query[((b * shape.Hq + h) * shape.Lq + i) * shape.D];
  }
  // Rows of the key/value head that serves query head `h`.
  const float* keys_of(int64_t b, int64_t h) const {
    return &key[(b * shape.Hkv + h / shape.group()) * shape.Lk * shape.D];
  }
  const float* values_of(int64_t b, int64_t h) const {
    return &value[(b * shape.Hkv + h / shape.group()) * shape.Lk * shape.D];
  }
};

FloatInputs float_inputs(const InputGenerator& generator);

}  // namespace evoke::attention
