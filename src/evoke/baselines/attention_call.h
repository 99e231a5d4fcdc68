// One attention call as baselines see it: sizes and four strided tensors.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/core/problem.h"
#include "evoke/devices/device.h"

namespace evoke::baselines {

// A (B, H, L, D) tensor of bfloat16; strides in elements, the last one is 1.
struct TensorView {
  std::byte* data = nullptr;
  std::array<int64_t, 4> shape{};
  std::array<int64_t, 4> strides{};

  bool contiguous() const;
  // Elements from the first to the last one, both included.
  int64_t span() const;
  std::byte* at(int64_t b, int64_t h, int64_t row) const {
    return data + 2 * (b * strides[0] + h * strides[1] + row * strides[2]);
  }
};

// Sizes and layout without addresses: calls with equal ones share all that a
// baseline generates or measures.
struct Geometry {
  int64_t B = 0, Hq = 0, Hkv = 0, Lq = 0, Lk = 0, D = 0;
  bool causal = false;  // bottom-right: query i sees keys <= Lk - Lq + i
  float scale = 0;
  std::array<std::array<int64_t, 4>, 4> strides{};  // query key value output

  int64_t group() const { return Hq / Hkv; }
  auto operator<=>(const Geometry&) const = default;
};

struct AttentionCall {
  Geometry geometry;
  TensorView query;
  TensorView key;
  TensorView value;
  TensorView output;
};

// `failed`: a letter, scalar or tensor is missing or does not fit.
Result<AttentionCall> attention_call(const Shape& shape,
                                     const std::vector<BoundTensor>& tensors);

// Copies a contiguous tensor of the view's shape into the view.
void copy_into(const TensorView& destination, const std::byte* source);

}  // namespace evoke::baselines
