// The memory that the judge lends to a runner, by number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/devices/device.h"
#include "evoke/evaluation/protocol/channel.h"
#include "evoke/evaluation/protocol/messages.h"
#include "evoke/evaluation/protocol/shared_memory.h"

namespace evoke::runner {

class Buffers {
 public:
  // `descriptor` must be valid exactly when request.shared.
  Result<void> add(const protocol::AddBuffer& request, const Fd& descriptor);
  Result<void> drop(int buffer);
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
  // Before a run: only the buffers of `used` can be written by kernels, and
  // whatever stands there outside of `used` is forgotten, so that no call
  // finds what an earlier one left. `idle`: tensors of other calls, which
  // hold memory that is worth keeping.
  Result<void> isolate(const std::vector<Place>& used,
                       const std::vector<Place>& idle);
  // Whoever prepares calls may write to their scratch.
  Result<void> open_for(const protocol::Placements& placements);

 private:
  // Bytes [offset, offset + size) of a buffer.
  Result<std::span<std::byte>> range(int buffer, int64_t offset_bytes,
                                     int64_t bytes) const;
  struct Buffer {
    protocol::MappedMemory memory;
    bool writable = false;  // by kernels, ever
    bool shared = false;
    bool open = false;  // can be written now
  };
  static Result<void> set_open(Buffer& buffer, bool open);
  std::map<int, Buffer> buffers_;
};

}  // namespace evoke::runner
