// Memory that judge and runner both see: an anonymous file, mapped. The
// judge makes it and keeps it writable; what it marks read-only can be mapped
// for writing by nobody else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "evoke/base/error.h"
#include "evoke/base/fd.h"

namespace evoke::protocol {

class MappedMemory {
 public:
  MappedMemory() = default;
  MappedMemory(MappedMemory&& other) noexcept;
  MappedMemory& operator=(MappedMemory&& other) noexcept;
  ~MappedMemory();

  // Of this process alone, zeroed.
  static Result<MappedMemory> anonymous(int64_t bytes);
  // `fd` may be closed afterwards.
  static Result<MappedMemory> map(int fd, int64_t bytes, bool writable);

  std::span<std::byte> bytes() const { return {data_, size_}; }
  // Whether this process may write to these bytes, whole pages; reading always
  // works.
  Result<void> set_writable(std::size_t offset, std::size_t bytes,
                            bool writable);
  // Has every page at hand, so that nobody who touches one first pays for it.
  // Nothing happens where the system cannot.
  void populate(bool writable);

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

class SharedMemory {
 public:
  // Zeroed. `read_only_for_others` must be asked for before the descriptor
  // is handed out.
  static Result<SharedMemory> create(int64_t bytes, bool read_only_for_others);

  std::span<std::byte> bytes() const { return mapping_.bytes(); }
  int64_t size() const { return static_cast<int64_t>(bytes().size()); }
  int fd() const { return fd_.get(); }  // what to hand out
  bool read_only_for_others() const { return read_only_; }

 private:
  MappedMemory mapping_;
  Fd fd_;
  bool read_only_ = false;
};

}  // namespace evoke::protocol
