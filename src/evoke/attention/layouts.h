// How the four tensors of a call lie in memory, and the guard bands around
// and between their rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "evoke/attention/shape.h"
#include "evoke/core/tensor.h"

namespace evoke::attention {

// Order of the problem's tensors.
enum TensorIndex : std::size_t { kQuery, kKey, kValue, kOutput };
inline constexpr std::size_t kNumTensors = 4;

// "contiguous": dense (B, H, L, D), bases aligned to 64 bytes.
// "cache": key and value are the first Lk rows of a longer cache whose
//   capacity is a multiple of 256, always with rows to spare.
// "transposed": query and output are views of (B, L, H, D + 8), so that heads
//   are the inner rows and 8 guard elements follow each; key and value as in
//   "cache". Bases are aligned to 16 bytes and no more in both.
// "mlx": as "cache", with bases 8 bytes beyond a multiple of 16: where MLX's
//   own allocator lays every array on the CPU.
// "timed": the baseline's best case: as "cache", capacity the next multiple
//   of 256 (none to spare at 256, 512, ...), bases aligned to 64 bytes.
std::vector<std::string> layout_names();

// Throws std::invalid_argument for an unknown name.
std::vector<TensorLayout> make_layouts(const AttentionShape& shape,
                                       std::string_view layout);

// Byte offset of row (b, h, i) in its allocation.
int64_t row_offset_bytes(const TensorLayout& tensor, int64_t b, int64_t h,
                         int64_t i);

// Fills the allocation, guard bands and all, with the poison.
void poison(std::span<std::byte> allocation);

// The first byte outside the rows that no longer holds the poison, or -1.
int64_t find_damaged_guard(const TensorLayout& tensor,
                           std::span<const std::byte> allocation);

}  // namespace evoke::attention
