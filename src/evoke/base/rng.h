// A random generator whose stream is the same on every platform and whose
// state can be stored: replay and resume depend on both, and the
// distributions of <random> promise neither.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "evoke/base/error.h"

namespace evoke {

// xoshiro256** 1.0 (Blackman and Vigna, 2018), seeded through splitmix64.
class Rng {
 public:
  explicit Rng(uint64_t seed);

  uint64_t next();                 // uniform over all 64-bit values
  uint64_t below(uint64_t bound);  // uniform in [0, bound), bound > 0
  double uniform();                // uniform in [0, 1)
  double normal();                 // N(0, 1), Box-Muller, no carried half
  bool chance(double probability) { return uniform() < probability; }
  // A generator for a named purpose: same parent state and name, same stream;
  // the parent does not advance.
  Rng fork(std::string_view name) const;

  template <typename Container>
  const auto& pick(const Container& items) {
    return items[below(items.size())];
  }
  template <typename Container>
  void shuffle(Container& items) {
    for (std::size_t i = items.size(); i > 1; --i) {
      using std::swap;
      swap(items[i - 1], items[below(i)]);
    }
  }

  std::string state() const;  // 64 hexadecimal digits
  static Result<Rng> from_state(std::string_view text);

  bool operator==(const Rng&) const = default;

 private:
  std::array<uint64_t, 4> state_;
};

}  // namespace evoke
