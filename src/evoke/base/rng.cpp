#include "evoke/base/rng.h"

#include <bit>
#include <charconv>
#include <cmath>
#include <numbers>

#include "evoke/base/hash.h"

namespace evoke {
namespace {

uint64_t splitmix64(uint64_t& state) {
  uint64_t z = (state += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace

Rng::Rng(uint64_t seed) {
  for (uint64_t& word : state_) word = splitmix64(seed);
}

uint64_t Rng::next() {
  const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const uint64_t t = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= t;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

uint64_t Rng::below(uint64_t bound) {
  // Rejection keeps it exactly uniform.
  const uint64_t limit = bound * (UINT64_MAX / bound);
  uint64_t value = next();
  while (value >= limit) value = next();
  return value % bound;
}

double Rng::uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }

double Rng::normal() {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
  return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

Rng Rng::fork(std::string_view name) const {
  return Rng(hash_u64(name, hash_u64(state())));
}

std::string Rng::state() const {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const uint64_t word : state_) {
    for (int shift = 60; shift >= 0; shift -= 4) {
      text.push_back(kDigits[(word >> shift) & 15]);
    }
  }
  return text;
}

Result<Rng> Rng::from_state(std::string_view text) {
  Rng rng(0);
  if (text.size() != 64) return failed("rng state: expected 64 digits");
  for (std::size_t i = 0; i < 4; ++i) {
    const char* first = text.data() + 16 * i;
    const auto [end, code] =
        std::from_chars(first, first + 16, rng.state_[i], 16);
    if (code != std::errc() || end != first + 16) {
      return failed("rng state: not hexadecimal");
    }
  }
  return rng;
}

}  // namespace evoke
