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

 private:
  // Bytes [offset, offset + size) of a buffer.
  Result<std::span<std::byte>> range(int buffer, int64_t offset_bytes,
                                     int64_t bytes) const;
  struct Buffer {
    protocol::MappedMemory memory;
    bool writable = false;
    bool shared = false;
  };
  std::map<int, Buffer> buffers_;
};

}  // namespace evoke::runner
