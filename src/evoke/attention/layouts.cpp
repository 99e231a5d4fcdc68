#include "evoke/attention/layouts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>

namespace evoke::attention {
namespace {

constexpr int64_t kElementBytes = 2;
// Room for a tile of 64 rows to overshoot on either side and meet NaN.
constexpr int64_t kGuardRows = 64;
constexpr int64_t kCapacityStep = 256;
constexpr int64_t kRowGuard = 8;  // elements after a row, "transposed"
constexpr int64_t kMisalignment = 16;
constexpr int64_t kMlxMisalignment = 24;

int64_t align_up(int64_t value, int64_t step) {
  return (value + step - 1) / step * step;
}

TensorLayout make(std::string name, std::array<int64_t, 4> shape,
                  std::array<int64_t, 4> strides, int64_t span_elements,
                  int64_t misalignment) {
  TensorLayout layout;
  layout.name = std::move(name);
  layout.type = DType::bfloat16;
  layout.shape.assign(shape.begin(), shape.end());
  layout.strides.assign(strides.begin(), strides.end());
  const int64_t guard = align_up(kGuardRows * shape[3] * kElementBytes, 64);
  layout.offset_bytes = guard + misalignment;
  layout.allocation_bytes =
      align_up(layout.offset_bytes + span_elements * kElementBytes + guard, 64);
  return layout;
}

// (B, H, L, D) with room for `capacity` rows per head.
TensorLayout rows_of(std::string name, int64_t b, int64_t h, int64_t l,
                     int64_t d, int64_t capacity, int64_t misalignment) {
  return make(std::move(name), {b, h, l, d},
              {h * capacity * d, capacity * d, d, 1}, b * h * capacity * d,
              misalignment);
}

// (B, H, L, D) as a view of (B, L, H, D + guard).
TensorLayout view_of(std::string name, int64_t b, int64_t h, int64_t l,
                     int64_t d) {
  const int64_t row = d + kRowGuard;
  return make(std::move(name), {b, h, l, d}, {l * h * row, row, h * row, 1},
              b * l * h * row, kMisalignment);
}

}  // namespace

std::vector<std::string> layout_names() {
  return {"contiguous", "cache", "transposed", "mlx", "timed"};
}

std::vector<TensorLayout> make_layouts(const AttentionShape& shape,
                                       std::string_view layout) {
  const auto [B, Hq, Hkv, Lq, Lk, D, causal] = shape;
  const bool transposed = layout == "transposed";
  const bool in_mlx = layout == "mlx";
  const bool cached = layout == "cache" || transposed || in_mlx;
  int64_t capacity = Lk;
  if (cached) {
    capacity = align_up(Lk + 1, kCapacityStep);
  } else if (layout == "timed") {
    capacity = align_up(Lk, kCapacityStep);
  } else if (layout != "contiguous") {
    throw std::invalid_argument(fmt::format(
        "[make_layouts] no layout is called '{}'. Usual cause: a gate case "
        "not made by gate_cases()",
        layout));
  }
  const int64_t misalignment =
      in_mlx ? kMlxMisalignment : (cached ? kMisalignment : 0);
  std::vector<TensorLayout> tensors(kNumTensors);
  for (const auto& [index, name] :
       {std::pair{kQuery, "query"}, std::pair{kOutput, "output"}}) {
    tensors[index] = transposed ? view_of(name, B, Hq, Lq, D)
                                : rows_of(name, B, Hq, Lq, D, Lq, misalignment);
  }
  for (const auto& [index, name] :
       {std::pair{kKey, "key"}, std::pair{kValue, "value"}}) {
    tensors[index] = rows_of(name, B, Hkv, Lk, D, capacity, misalignment);
  }
  return tensors;
}

int64_t row_offset_bytes(const TensorLayout& tensor, int64_t b, int64_t h,
                         int64_t i) {
  return tensor.offset_bytes +
         kElementBytes * (b * tensor.strides[0] + h * tensor.strides[1] +
                          i * tensor.strides[2]);
}

void poison(std::span<std::byte> allocation) {
  std::memset(allocation.data(), 0xff, allocation.size());
}

int64_t find_damaged_guard(const TensorLayout& tensor,
                           std::span<const std::byte> allocation) {
  // The row dimensions from the outermost in memory to the innermost, so that
  // rows come in ascending order and everything between two is guard.
  std::array<std::size_t, 3> order = {0, 1, 2};
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t x, std::size_t y) {
                     return tensor.strides[x] > tensor.strides[y];
                   });
  int64_t checked = 0;
  int64_t damaged = -1;
  const auto check_until = [&](int64_t end) {
    for (; checked < end && damaged < 0; ++checked) {
      if (allocation[checked] != std::byte{0xff}) damaged = checked;
    }
  };
  const int64_t row_bytes = tensor.shape[3] * kElementBytes;
  std::array<int64_t, 3> at{};
  for (at[0] = 0; at[0] < tensor.shape[order[0]]; ++at[0]) {
    for (at[1] = 0; at[1] < tensor.shape[order[1]]; ++at[1]) {
      for (at[2] = 0; at[2] < tensor.shape[order[2]]; ++at[2]) {
        int64_t row = tensor.offset_bytes;
        for (std::size_t k = 0; k < 3; ++k) {
          row += kElementBytes * at[k] * tensor.strides[order[k]];
        }
        check_until(row);
        checked = std::max(checked, row + row_bytes);
      }
    }
  }
  check_until(static_cast<int64_t>(allocation.size()));
  return damaged;
}

}  // namespace evoke::attention
