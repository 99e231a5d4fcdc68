// bfloat16 as bits: the type of every tensor of the problem.
#pragma once

#include <bit>
#include <cstdint>

namespace evoke::attention {

// All bits set: a NaN that no arithmetic produces on its own. Outputs and
// guard bands hold it before a call.
inline constexpr uint16_t kPoison = 0xffff;

inline float float_of_bf16(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

// Round to nearest, ties to even; NaN stays NaN.
inline uint16_t bf16_of_float(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffff) > 0x7f800000) return 0x7fc0;
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

inline float round_to_bf16(float value) {
  return float_of_bf16(bf16_of_float(value));
}

}  // namespace evoke::attention
