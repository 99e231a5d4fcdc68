#include "evoke/devices/metal/host/memory_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <numeric>
#include <utility>

namespace evoke::metal::host {
namespace {

constexpr std::size_t kBlockBytes = 16;

// Dimensions by falling stride: where one element's coordinates are read off.
std::vector<std::size_t> by_stride(const TensorLayout& layout) {
  std::vector<std::size_t> order(layout.shape.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) {
    return layout.strides[a] > layout.strides[b];
  });
  return order;
}

}  // namespace

std::size_t Region::valid_bytes(uintptr_t address) const {
  if (address < begin || address >= end) return 0;
  if (kind == Kind::argument) return end - address;
  const std::size_t offset = address - begin;
  const std::size_t in_block = offset % kBlockBytes;
  std::size_t block = offset / kBlockBytes;
  if (in_block >= valid[block]) return 0;
  std::size_t bytes = valid[block] - in_block;
  // Accesses are of 16 bytes at most, so two blocks say enough.
  if (valid[block] == kBlockBytes && block + 1 < valid.size()) {
    bytes += valid[block + 1];
  }
  return bytes;
}

std::string Region::place(uintptr_t address) const {
  if (kind == Kind::argument) {
    if (address >= end)
      return fmt::format("{} bytes past its end", address - end);
    return fmt::format("byte {}", static_cast<int64_t>(address - begin));
  }
  const auto size = size_of(layout.type);
  const auto offset =
      static_cast<int64_t>(address) - static_cast<int64_t>(origin);
  if (offset < 0) return fmt::format("{} bytes before its start", -offset);
  int64_t rest = offset / size;
  std::vector<int64_t> index(layout.shape.size(), 0);
  bool inside = true;
  for (const std::size_t d : by_stride(layout)) {
    const int64_t stride = std::max<int64_t>(layout.strides[d], 1);
    index[d] = rest / stride;
    rest %= stride;
    inside = inside && index[d] < layout.shape[d];
  }
  return fmt::format(
      "element ({}){}", fmt::join(index, ", "),
      inside ? ""
             : fmt::format(" of shape ({})", fmt::join(layout.shape, ", ")));
}

void MemoryMap::add_tensor(Region::Kind kind, std::byte* origin,
                           const TensorLayout& layout, bool zeroed) {
  Region region;
  region.kind = kind;
  region.name = layout.name;
  region.layout = layout;
  region.origin = reinterpret_cast<uintptr_t>(origin);
  region.begin = region.origin - static_cast<uintptr_t>(layout.offset_bytes);
  region.end = region.begin + static_cast<uintptr_t>(layout.allocation_bytes);
  region.zeroed = zeroed;
  const auto size = static_cast<std::size_t>(size_of(layout.type));
  region.unit_shift = static_cast<unsigned>(std::countr_zero(size));
  const std::size_t blocks =
      (region.end - region.begin + kBlockBytes - 1) / kBlockBytes;
  region.valid.assign(blocks, 0);
  // Rows of the innermost dimension, which is contiguous.
  const std::size_t rank = layout.shape.size();
  const int64_t rows =
      rank == 0 ? 1
                : std::accumulate(layout.shape.begin(), layout.shape.end() - 1,
                                  int64_t{1}, std::multiplies<>());
  const std::size_t row_bytes =
      size * static_cast<std::size_t>(rank == 0 ? 1 : layout.shape.back());
  for (int64_t row = 0; row < rows; ++row) {
    int64_t rest = row;
    int64_t element = 0;
    for (std::size_t d = rank < 2 ? 0 : rank - 1; d-- > 0;) {
      element += rest % layout.shape[d] * layout.strides[d];
      rest /= layout.shape[d];
    }
    std::size_t at = static_cast<std::size_t>(layout.offset_bytes) +
                     static_cast<std::size_t>(element) * size;
    const std::size_t last = at + row_bytes;
    // Rows begin at multiples of 16 bytes, or where the row before ends.
    while (at < last && at / kBlockBytes < blocks) {
      const std::size_t block = at / kBlockBytes;
      const std::size_t block_end = std::min(last, (block + 1) * kBlockBytes);
      region.valid[block] = std::max<uint8_t>(
          region.valid[block],
          static_cast<uint8_t>(block_end - block * kBlockBytes));
      at = block_end;
    }
  }
  if (kind != Region::Kind::input) {
    region.cells.assign(((region.end - region.begin) >> region.unit_shift) + 1,
                        {});
  }
  regions_.push_back(std::move(region));
}

void MemoryMap::add_argument(std::string name, const void* data,
                             std::size_t bytes) {
  Region region;
  region.name = std::move(name);
  region.begin = reinterpret_cast<uintptr_t>(data);
  region.end = region.begin + bytes;
  region.origin = region.begin;
  regions_.push_back(std::move(region));
}

void MemoryMap::seal() {
  std::sort(regions_.begin(), regions_.end(),
            [](const Region& a, const Region& b) { return a.begin < b.begin; });
}

Region* MemoryMap::find(uintptr_t address) {
  auto after = std::upper_bound(
      regions_.begin(), regions_.end(), address,
      [](uintptr_t a, const Region& region) { return a < region.begin; });
  if (after == regions_.begin()) return nullptr;
  --after;
  return address < after->end ? &*after : nullptr;
}

const Region* MemoryMap::nearest(uintptr_t address) const {
  const Region* best = nullptr;
  uintptr_t least = UINTPTR_MAX;
  for (const Region& region : regions_) {
    const uintptr_t distance = address < region.begin ? region.begin - address
                               : address >= region.end
                                   ? address - region.end + 1
                                   : 0;
    if (distance < least) {
      least = distance;
      best = &region;
    }
  }
  return best;
}

void MemoryMap::forget_writes() {
  for (Region& region : regions_) {
    for (DeviceCell& cell : region.cells) cell.written = false;
  }
}

}  // namespace evoke::metal::host
