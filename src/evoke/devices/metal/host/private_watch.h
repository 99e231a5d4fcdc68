// Watches the stacks of a threadgroup's threads: what lies between variables,
// and what was never written. The compiler lays frames out with red zones
// around variables and says so before they are used.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "evoke/devices/metal/host/access.h"
#include "evoke/devices/metal/host/fiber.h"

namespace evoke::metal::host {

class PrivateWatch {
 public:
  PrivateWatch(const Stacks& stacks, Report& report);
  ~PrivateWatch();
  PrivateWatch(const PrivateWatch&) = delete;
  PrivateWatch& operator=(const PrivateWatch&) = delete;

  bool owns(uintptr_t address) const { return address - begin_ < bytes_; }
  // Most accesses: to variables that are written. At most 16 bytes.
  template <std::size_t Bytes>
  bool is_plain(uintptr_t address) const {
    if (!owns(address)) return false;
    const uint8_t* const at = state_ + (address - begin_);
    if constexpr (Bytes == 16) {
      return word<uint64_t>(at) == 0 && word<uint64_t>(at + 8) == 0;
    } else if constexpr (Bytes == 8) {
      return word<uint64_t>(at) == 0;
    } else if constexpr (Bytes == 4) {
      return word<uint32_t>(at) == 0;
    } else if constexpr (Bytes == 2) {
      return word<uint16_t>(at) == 0;
    } else {
      static_assert(Bytes == 1);
      return *at == 0;
    }
  }
  // nullptr: nothing is wrong.
  const Finding* access(const Accessor& who, uintptr_t address,
                        std::size_t bytes, Access kind, const void* code);
  // Between private variables: what was never written stays so.
  const Finding* copy(const Accessor& who, uintptr_t to, uintptr_t from,
                      std::size_t bytes, const void* code);
  // The compiler lays out and leaves frames: value is ASan's shadow byte,
  // `shadow` the address of the first one at one byte per eight.
  void set_frame(uintptr_t shadow, std::size_t count, uint8_t value);
  // Another object's descriptions may lie where those of one before lay.
  void forget_descriptions() { written_by_caller_.clear(); }
  // Nothing of an abandoned threadgroup's stacks is left.
  void forget();

 private:
  struct Range {
    std::size_t begin = 0;
    std::size_t end = 0;
  };
  template <class Word>
  static Word word(const uint8_t* at) {
    Word value;
    std::memcpy(&value, at, sizeof(value));
    return value;
  }
  // Of a frame, by the compiler's description of it: arguments that the
  // caller wrote.
  const std::vector<Range>& written_by_caller(const char* description);
  const Finding* out_of_bounds(const Accessor& who, uintptr_t address,
                               std::size_t bytes, Access kind,
                               const void* code);
  std::string describe(uintptr_t address) const;

  Report& report_;
  uintptr_t begin_;
  std::size_t bytes_;
  uint8_t* state_ = nullptr;  // one byte per byte of the stacks
  // The frame being laid out, from the stacks' begin: where it starts, and
  // where its left red zone ends (0: none is being laid out).
  uintptr_t base_ = 0;
  uintptr_t frame_ = 0;
  std::map<const char*, std::vector<Range>> written_by_caller_;
};

}  // namespace evoke::metal::host
