#include "evoke/evaluation/runner/buffers.h"

#include <algorithm>
#include <string>
#include <utility>

namespace evoke::runner {

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
  if (!request.writable) {
    auto closed = memory->set_writable(false);
    if (!closed) return closed;
  }
  buffers_[request.buffer] = {std::move(*memory), request.writable,
                              request.shared};
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
  if (!buffer.writable) {
    if (auto opened = buffer.memory.set_writable(true); !opened) return opened;
  }
  std::copy(request.data.begin(), request.data.end(), target->begin());
  if (!buffer.writable) return buffer.memory.set_writable(false);
  return {};
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
