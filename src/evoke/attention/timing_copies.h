// The copies of inputs that a timed shape rotates through. Nothing large is
// kept: inputs are generated when written, and a copy's truth is computed
// when it is first checked.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "evoke/attention/attention_case.h"

namespace evoke::attention {

// Limits of all copies come from the family's errors on copy 0, widened by
// this: the copies are draws from one distribution, but each has its own
// worst row.
inline constexpr double kCopyMargin = 1.25;

class TimingCopies : public TimingSet {
 public:
  TimingCopies(const Shape& shape, int64_t total_bytes, int max_copies,
               uint64_t seed);

  const Shape& shape() const override { return shape_; }
  int num_copies() const override { return static_cast<int>(copies_.size()); }
  const std::vector<TensorLayout>& tensors() const override { return tensors_; }
  void write(int copy, std::size_t index,
             std::span<std::byte> allocation) const override;
  void find_truth(int copy) const override;
  CheckReport check(int copy, std::span<const std::byte> output,
                    int num_threads) const override;

 private:
  struct Copy {
    explicit Copy(const InputGenerator& inputs) : generator(inputs) {}
    InputGenerator generator;
    std::once_flag once;
    Truth truth;
    std::vector<ValueBounds> bounds;  // as in AttentionCase
  };
  // The copy with its truth; computes it in the first caller.
  const Copy& measured(int copy) const;

  Shape shape_;
  AttentionShape sizes_;
  std::vector<TensorLayout> tensors_;
  std::vector<CheckedRow> rows_;  // the same for every copy
  std::vector<std::unique_ptr<Copy>> copies_;
  const Envelope& envelope() const;
  mutable std::once_flag envelope_once_;
  mutable Envelope envelope_;
};

}  // namespace evoke::attention
