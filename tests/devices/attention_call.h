// One attention call on the cpu device, with tensors of its own and a plain
// double reference: enough to try devices without the attention room, whose
// gate is the real judge of kernels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/core/launch_plan.h"
#include "evoke/core/problem.h"
#include "evoke/devices/device.h"

namespace evoke::testing {

ProblemSignature attention_signature();

struct CallShape {
  int B = 1, Hq = 16, Hkv = 8, Lq = 1, Lk = 1, D = 128;
  bool causal = false;
  // Key and value are slices of a cache with this many rows per head more;
  // query and output lie as (B, L, H, D).
  bool strided = false;
};
Shape to_shape(const CallShape& shape);
std::string to_string(const CallShape& shape);

// Page-aligned memory with NaN in it.
class Memory {
 public:
  explicit Memory(int64_t bytes);
  std::byte* data() const { return data_.get(); }

 private:
  struct Free {
    void operator()(std::byte* data) const;
  };
  std::unique_ptr<std::byte, Free> data_;
};

// Tensors of one call, filled with N(0, 1) from `seed`; NaN around them.
class AttentionCall {
 public:
  AttentionCall(const CallShape& shape, uint64_t seed);
  // The same values in memory of its own.
  AttentionCall(const AttentionCall& other);
  AttentionCall& operator=(const AttentionCall&) = delete;

  // In the signature's order; valid as long as this object.
  const std::vector<BoundTensor>& tensors() const { return tensors_; }
  float element(std::size_t tensor, int b, int h, int l, int d) const;
  // Largest |error| of any element of the output, divided by the largest
  // |value| of its row; NaN when an element is NaN. Checks every `step`-th
  // query.
  double worst_error(int step = 1) const;
  void poison_output();

 private:
  std::vector<double> expected_row(int b, int h, int i) const;
  CallShape shape_;
  std::vector<std::unique_ptr<Memory>> memory_;
  std::vector<BoundTensor> tensors_;
};

// Scratch of a plan, poisoned.
class Scratch {
 public:
  explicit Scratch(const LaunchPlan& plan);
  const std::vector<BoundTensor>& tensors() const { return tensors_; }

 private:
  std::vector<std::unique_ptr<Memory>> memory_;
  std::vector<BoundTensor> tensors_;
};

}  // namespace evoke::testing
