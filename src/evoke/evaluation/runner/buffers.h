// The memory that the judge lends to a runner, by number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/devices/device.h"
#include "evoke/evaluation/protocol/channel.h"
#include "evoke/evaluation/protocol/messages.h"
#include "evoke/evaluation/protocol/shared_memory.h"

namespace evoke::runner {

class Buffers {
 public:
  // `populate`: all pages are there before anything is timed.
  explicit Buffers(bool populate) : populate_(populate) {}

  // `descriptor` must be valid exactly when request.shared.
  Result<void> add(const protocol::AddBuffer& request, const Fd& descriptor);
  Result<void> drop(int buffer);
  // All of a buffer; nothing when there is none.
  std::span<const std::byte> bytes_of(int buffer) const;
  Result<void> write(const protocol::WriteBuffer& request);
  Result<protocol::BufferContent> read(const protocol::ReadBuffer& request);
  // The tensors of one call, each inside its buffer.
  Result<std::vector<BoundTensor>> bind(
      const std::vector<TensorLayout>& layouts,
      const protocol::Placements& placements) const;

  // Where one tensor lies.
  struct Place {
    int buffer = 0;
    int64_t offset_bytes = 0;
    int64_t bytes = 0;
  };
  // Before a run: kernels can write to the pages of `used` alone, and what
  // they could write to in the run before is forgotten, but for `used`. So no
  // call finds what an earlier one left.
  Result<void> isolate(const std::vector<Place>& used);
  // Whoever prepares calls may write to their scratch.
  Result<void> open_for(const protocol::Placements& placements);

 private:
  // Bytes [offset, offset + size) of a buffer.
  Result<std::span<std::byte>> range(int buffer, int64_t offset_bytes,
                                     int64_t bytes) const;
  using Interval = std::pair<std::size_t, std::size_t>;  // [first, second)
  using Intervals = std::vector<Interval>;               // sorted, apart
  struct Buffer {
    protocol::MappedMemory memory;
    bool writable = false;  // by kernels, ever
    bool shared = false;
    bool open = false;       // all of it can be written now
    Intervals kernel_pages;  // that the latest run could write to
  };
  static Intervals intervals_of(const std::vector<Place>& places, int buffer,
                                std::size_t unit);
  static Result<void> isolate(Buffer& buffer, const Intervals& used,
                              Intervals pages);
  static Result<void> set_open(Buffer& buffer, bool open);
  bool populate_;
  std::map<int, Buffer> buffers_;
};

}  // namespace evoke::runner
