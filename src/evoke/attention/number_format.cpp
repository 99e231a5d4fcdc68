#include "evoke/attention/number_format.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "evoke/attention/vector_ops.h"

namespace evoke::attention {
namespace {

struct FormatTraits {
  std::string_view name;
  int mantissa_bits;  // stored ones
  int min_exponent;   // of the smallest normal number
  float largest;
  bool saturates;
};

constexpr float kFloatMax = std::numeric_limits<float>::max();
constexpr FormatTraits kFormats[kNumNumberFormats] = {
    {"float32", 23, -126, kFloatMax, false},
    {"tfloat32", 10, -126, kFloatMax, false},
    {"float16", 10, -14, 65504.0f, false},
    {"bfloat16", 7, -126, 3.3895313892515355e38f, false},
    {"float8_e4m3", 3, -6, 448.0f, true},
    {"float8_e5m2", 2, -14, 57344.0f, true},
};

const FormatTraits& traits_of(NumberFormat format) {
  return kFormats[static_cast<int>(format)];
}

}  // namespace

std::string_view to_string(NumberFormat format) {
  return traits_of(format).name;
}

float round_to(NumberFormat format, float value) {
  if (format == NumberFormat::float32) return value;
  if (value == 0 || !std::isfinite(value)) return value;
  const FormatTraits& traits = traits_of(format);
  const int exponent = std::max(std::ilogb(value), traits.min_exponent);
  const float unit = std::ldexp(1.0f, exponent - traits.mantissa_bits);
  // The default rounding mode is to nearest, ties to even; the quotient is
  // exact because unit is a power of two.
  const float rounded = std::nearbyint(value / unit) * unit;
  if (!(std::abs(rounded) <= traits.largest)) {
    const float limit = traits.saturates
                            ? traits.largest
                            : std::numeric_limits<float>::infinity();
    return std::copysign(limit, value);
  }
  return rounded;
}

void round_to(NumberFormat format, float* values, int64_t count) {
  if (format == NumberFormat::float32) return;
  if (format == NumberFormat::bfloat16) {
    vector_ops().round_bf16(values, count);
    return;
  }
  for (int64_t i = 0; i < count; ++i) values[i] = round_to(format, values[i]);
}

}  // namespace evoke::attention
