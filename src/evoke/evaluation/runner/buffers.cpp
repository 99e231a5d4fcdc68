#include "evoke/evaluation/runner/buffers.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

namespace evoke::runner {

namespace {

constexpr std::size_t kPageBytes = 4096;

}  // namespace

// Rounded outwards to whole `unit`s.
Buffers::Intervals Buffers::intervals_of(const std::vector<Place>& places,
                                         int buffer, std::size_t unit) {
  Intervals all;
  for (const Place& place : places) {
    if (place.buffer != buffer || place.bytes == 0) continue;
    const auto begin = static_cast<std::size_t>(place.offset_bytes);
    const std::size_t end = begin + static_cast<std::size_t>(place.bytes);
    all.emplace_back(begin / unit * unit, (end + unit - 1) / unit * unit);
  }
  std::sort(all.begin(), all.end());
  Intervals merged;
  for (const Interval& each : all) {
    if (!merged.empty() && each.first <= merged.back().second) {
      merged.back().second = std::max(merged.back().second, each.second);
    } else {
      merged.push_back(each);
    }
  }
  return merged;
}

Result<void> Buffers::set_open(Buffer& buffer, bool open) {
  if (buffer.open == open) return {};
  auto set = buffer.memory.set_writable(0, buffer.memory.bytes().size(), open);
  if (!set) return set;
  buffer.open = open;
  return {};
}

Result<void> Buffers::open_for(const protocol::Placements& placements) {
  for (const protocol::Placement& placement : placements) {
    const auto found = buffers_.find(placement.buffer);
    if (found == buffers_.end() || !found->second.writable) continue;
    if (auto set = set_open(found->second, true); !set) return set;
  }
  return {};
}

Result<void> Buffers::isolate(const std::vector<Place>& used) {
  for (auto& [number, buffer] : buffers_) {
    if (!buffer.writable) continue;
    Intervals pages = intervals_of(used, number, kPageBytes);
    if (!pages.empty()) {
      pages.back().second =
          std::min(pages.back().second, buffer.memory.bytes().size());
    }
    auto isolated =
        isolate(buffer, intervals_of(used, number, 1), std::move(pages));
    if (!isolated) return isolated;
  }
  return {};
}

Result<void> Buffers::isolate(Buffer& buffer, const Intervals& used,
                              Intervals pages) {
  const std::span<std::byte> bytes = buffer.memory.bytes();
  for (const auto& [begin, end] : buffer.kernel_pages) {
    std::size_t done = begin;
    for (const auto& [kept, kept_end] : used) {
      if (kept_end <= done || kept >= end) continue;
      if (kept > done) std::memset(bytes.data() + done, 0xff, kept - done);
      done = kept_end;
    }
    if (done < end) std::memset(bytes.data() + done, 0xff, end - done);
  }
  if (buffer.open) {
    if (auto set = set_open(buffer, false); !set) return set;
  } else {
    for (const auto& [begin, end] : buffer.kernel_pages) {
      auto set = buffer.memory.set_writable(begin, end - begin, false);
      if (!set) return set;
    }
  }
  buffer.kernel_pages = std::move(pages);
  for (const auto& [begin, end] : buffer.kernel_pages) {
    auto set = buffer.memory.set_writable(begin, end - begin, true);
    if (!set) return set;
  }
  return {};
}

Result<void> Buffers::add(const protocol::AddBuffer& request,
                          const Fd& descriptor) {
  if (buffers_.contains(request.buffer)) {
    return failed("buffer " + std::to_string(request.buffer) + " is in use");
  }
  if (request.shared != descriptor.valid()) {
    return failed(
        "a shared buffer comes with one descriptor, others with none");
  }
  auto memory = request.shared
                    ? protocol::MappedMemory::map(
                          descriptor.get(), request.bytes, request.writable)
                    : protocol::MappedMemory::anonymous(request.bytes);
  if (!memory) return error_of(memory);
  if (populate_) memory->populate(request.writable);
  Buffer buffer{std::move(*memory), request.writable, request.shared, true, {}};
  if (auto set = set_open(buffer, request.writable); !set) return set;
  buffers_[request.buffer] = std::move(buffer);
  return {};
}

Result<void> Buffers::drop(int buffer) {
  if (buffers_.erase(buffer) == 0) {
    return failed("there is no buffer " + std::to_string(buffer));
  }
  return {};
}

Result<std::span<std::byte>> Buffers::range(int buffer, int64_t offset_bytes,
                                            int64_t bytes) const {
  const auto found = buffers_.find(buffer);
  if (found == buffers_.end()) {
    return failed("there is no buffer " + std::to_string(buffer));
  }
  const std::span<std::byte> all = found->second.memory.bytes();
  const auto size = static_cast<int64_t>(all.size());
  if (offset_bytes < 0 || bytes < 0 || offset_bytes > size ||
      bytes > size - offset_bytes) {
    return failed("bytes outside buffer " + std::to_string(buffer));
  }
  return all.subspan(static_cast<std::size_t>(offset_bytes),
                     static_cast<std::size_t>(bytes));
}

std::span<const std::byte> Buffers::bytes_of(int buffer) const {
  const auto found = buffers_.find(buffer);
  if (found == buffers_.end()) return {};
  return found->second.memory.bytes();
}

Result<void> Buffers::write(const protocol::WriteBuffer& request) {
  auto target = range(request.buffer, request.offset_bytes,
                      static_cast<int64_t>(request.data.size()));
  if (!target) return error_of(target);
  Buffer& buffer = buffers_.at(request.buffer);
  if (buffer.shared) {
    return failed("buffer " + std::to_string(request.buffer) +
                  " is shared: the judge writes it itself");
  }
  // Kernels see inputs that cannot be written; only here they can.
  if (auto opened = set_open(buffer, true); !opened) return opened;
  std::copy(request.data.begin(), request.data.end(), target->begin());
  return set_open(buffer, buffer.writable);
}

Result<protocol::BufferContent> Buffers::read(
    const protocol::ReadBuffer& request) {
  if (request.bytes > static_cast<int64_t>(protocol::kMaxInlineBytes)) {
    return failed("too many bytes at a time");
  }
  auto source = range(request.buffer, request.offset_bytes, request.bytes);
  if (!source) return error_of(source);
  return protocol::BufferContent{{source->begin(), source->end()}};
}

Result<std::vector<BoundTensor>> Buffers::bind(
    const std::vector<TensorLayout>& layouts,
    const protocol::Placements& placements) const {
  if (layouts.size() != placements.size()) {
    return failed("a call needs a place for each of its tensors");
  }
  std::vector<BoundTensor> tensors;
  tensors.reserve(layouts.size());
  for (std::size_t i = 0; i < layouts.size(); ++i) {
    auto allocation = range(placements[i].buffer, placements[i].offset_bytes,
                            layouts[i].allocation_bytes);
    if (!allocation) {
      return failed(layouts[i].name + ": " + allocation.error().message);
    }
    const Buffer& buffer = buffers_.at(placements[i].buffer);
    tensors.push_back({allocation->data() + layouts[i].offset_bytes,
                       layouts[i],
                       {buffer.memory.bytes(), buffer.writable}});
  }
  return tensors;
}

}  // namespace evoke::runner
