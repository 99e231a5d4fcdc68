#include "evoke/evaluation/runner/buffers.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

namespace evoke::runner {

namespace {

using Interval = std::pair<std::size_t, std::size_t>;  // [first, second)
using Intervals = std::vector<Interval>;

constexpr std::size_t kPageBytes = 4096;
// Stretches that no tensor lies in are given back beyond so much on either
// side: the judge has guard bands there.
constexpr std::size_t kKeptBytes = 2 * kPageBytes;

// What of [0, size) no interval covers.
Intervals gaps_between(Intervals intervals, std::size_t size) {
  std::sort(intervals.begin(), intervals.end());
  Intervals gaps;
  std::size_t done = 0;
  for (const auto& [begin, end] : intervals) {
    if (begin > done) gaps.emplace_back(done, begin);
    done = std::max(done, end);
  }
  if (done < size) gaps.emplace_back(done, size);
  return gaps;
}

Intervals intervals_of(const std::vector<Buffers::Place>& places, int buffer) {
  Intervals intervals;
  for (const Buffers::Place& place : places) {
    if (place.buffer != buffer) continue;
    const auto begin = static_cast<std::size_t>(place.offset_bytes);
    intervals.emplace_back(begin,
                           begin + static_cast<std::size_t>(place.bytes));
  }
  return intervals;
}

// Whole pages inside the gaps between `intervals`.
Intervals inner_pages(Intervals intervals, std::size_t size) {
  Intervals pages;
  for (const auto& [begin, end] : gaps_between(std::move(intervals), size)) {
    const std::size_t first =
        (begin + kKeptBytes + kPageBytes - 1) / kPageBytes * kPageBytes;
    const std::size_t last =
        end < kKeptBytes ? 0 : (end - kKeptBytes) / kPageBytes * kPageBytes;
    if (first < last) pages.emplace_back(first, last);
  }
  return pages;
}

}  // namespace

Result<void> Buffers::set_open(Buffer& buffer, bool open) {
  if (buffer.open == open) return {};
  if (auto set = buffer.memory.set_writable(open); !set) return set;
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

Result<void> Buffers::isolate(const std::vector<Place>& used,
                              const std::vector<Place>& idle) {
  for (auto& [number, buffer] : buffers_) {
    if (!buffer.writable) continue;
    Intervals kept = intervals_of(used, number);
    if (auto set = set_open(buffer, !kept.empty()); !set) return set;
    if (kept.empty()) continue;
    const std::span<std::byte> bytes = buffer.memory.bytes();
    Intervals known = intervals_of(idle, number);
    known.insert(known.end(), kept.begin(), kept.end());
    const Intervals unused = inner_pages(std::move(known), bytes.size());
    for (const auto& [begin, end] : unused) {
      buffer.memory.discard(begin, end - begin);
    }
    kept.insert(kept.end(), unused.begin(), unused.end());
    for (const auto& [begin, end] :
         gaps_between(std::move(kept), bytes.size())) {
      std::memset(bytes.data() + begin, 0xff, end - begin);
    }
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
  memory->populate(request.writable);
  Buffer buffer{std::move(*memory), request.writable, request.shared, true};
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
    tensors.push_back(
        {allocation->data() + layouts[i].offset_bytes, layouts[i]});
  }
  return tensors;
}

}  // namespace evoke::runner
