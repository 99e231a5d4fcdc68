// A hash over a component's state, to prove that two are equal.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

#include "evoke/base/hash.h"

namespace evoke {

class Fingerprint {
 public:
  void add(std::string_view text) {
    add(static_cast<int64_t>(text.size()));
    bytes_.append(text);
  }
  template <std::integral Integer>
  void add(Integer value) {
    const auto wide = static_cast<uint64_t>(static_cast<int64_t>(value));
    for (int shift = 0; shift < 64; shift += 8) {
      bytes_.push_back(static_cast<char>((wide >> shift) & 0xff));
    }
  }
  void add(double value) {
    add(static_cast<int64_t>(std::bit_cast<uint64_t>(value)));
  }
  std::string hex() const { return hash_hex(bytes_); }

 private:
  std::string bytes_;
};

}  // namespace evoke
