// One gate case: inputs written on demand, the truth and the envelope kept.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "evoke/attention/gate.h"
#include "evoke/attention/inputs.h"
#include "evoke/attention/truth.h"
#include "evoke/core/problem.h"

namespace evoke::attention {

// Per channel, what the values of one (b, kv_head) span: an output outside it
// (beyond rounding) is not a weighted mean of them.
class ValueBounds {
 public:
  explicit ValueBounds(const InputGenerator& generator);
  bool contains(int64_t b, int64_t kv_head, const uint16_t* row) const;

 private:
  int64_t num_kv_heads_ = 0;
  int64_t dim_ = 0;
  std::vector<float> low_;  // B x Hkv x D, widened by rounding
  std::vector<float> high_;
};

// Writes tensor `index` (TensorIndex) with its guard bands.
void write_tensor(const InputGenerator& generator, const TensorLayout& tensor,
                  std::size_t index, std::span<std::byte> allocation);

// The whole check of one output allocation: guard bands, poison, finiteness
// and bounds of every row, then the truth's rows against the envelope.
// `bounds` null: every row is in the truth. On up to `num_threads` threads.
CheckReport check_output(const TensorLayout& tensor,
                         const AttentionShape& shape, const Truth& truth,
                         const Envelope& envelope, const ValueBounds* bounds,
                         std::span<const std::byte> output,
                         int num_threads = 1);

class AttentionCase : public PreparedCase {
 public:
  AttentionCase(GateCase gate_case, uint64_t seed);

  const GateCase& gate_case() const override { return case_; }
  const std::vector<TensorLayout>& tensors() const override { return tensors_; }
  void write(std::size_t index, std::span<std::byte> allocation) const override;
  CheckReport check(std::span<const std::byte> output) const override;

  const InputGenerator& generator() const { return generator_; }
  const Truth& truth() const { return truth_; }
  // A member of the honest family against the envelope of the others.
  CheckReport leave_one_out(std::size_t member) const;

 private:
  GateCase case_;
  AttentionShape shape_;
  InputGenerator generator_;
  std::vector<TensorLayout> tensors_;
  Truth truth_;
  std::vector<std::vector<GroupErrors>> family_errors_;
  Envelope envelope_;
  std::vector<ValueBounds> bounds_;  // one, or none when all rows are compared
};

}  // namespace evoke::attention
