// Number formats that a kernel may round to on the way, emulated in float32.
#pragma once

#include <cstdint>
#include <string_view>

namespace evoke::attention {

enum class NumberFormat {
  float32,
  tfloat32,  // 10 mantissa bits, float32's range
  float16,
  bfloat16,
  float8_e4m3,  // saturates at 448, as accelerators convert
  float8_e5m2,
};
inline constexpr int kNumNumberFormats = 6;
std::string_view to_string(NumberFormat format);

// To nearest, ties to even, subnormals kept.
float round_to(NumberFormat format, float value);
void round_to(NumberFormat format, float* values, int64_t count);

}  // namespace evoke::attention
