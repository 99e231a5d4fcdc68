#include "evoke/attention/number_format.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "evoke/attention/bf16.h"

namespace evoke::attention {
namespace {

using enum NumberFormat;

TEST(NumberFormat, KnownValues) {
  EXPECT_EQ(round_to(float8_e4m3, 1.0625f), 1.0f);   // tie to even
  EXPECT_EQ(round_to(float8_e4m3, 1.1875f), 1.25f);  // tie to even
  EXPECT_EQ(round_to(float8_e4m3, 500.0f), 448.0f);  // saturates
  EXPECT_EQ(round_to(float8_e4m3, -1e9f), -448.0f);
  EXPECT_EQ(round_to(float8_e4m3, 0x1p-9f), 0x1p-9f);  // smallest subnormal
  EXPECT_EQ(round_to(float8_e4m3, 0x1p-10f), 0.0f);    // tie to even
  EXPECT_EQ(round_to(float8_e5m2, 1.125f), 1.0f);
  EXPECT_EQ(round_to(float16, 2049.0f), 2048.0f);
  EXPECT_EQ(round_to(float16, 65519.0f), 65504.0f);
  EXPECT_TRUE(std::isinf(round_to(float16, 65520.0f)));
  EXPECT_EQ(round_to(float16, 0x1p-24f), 0x1p-24f);
  EXPECT_EQ(round_to(tfloat32, 1.0f + 0x1p-11f), 1.0f);
  EXPECT_EQ(round_to(float32, 1.0f + 0x1p-23f), 1.0f + 0x1p-23f);
}

TEST(NumberFormat, Bfloat16AgreesWithTheBitwiseConversion) {
  std::mt19937 engine(3);
  for (int i = 0; i < 20000; ++i) {
    const float x = std::bit_cast<float>(static_cast<uint32_t>(engine()));
    // The scalar path treats subnormals and NaN in the same way.
    if (!std::isfinite(x)) continue;
    EXPECT_EQ(round_to(bfloat16, x), round_to_bf16(x)) << x;
  }
}

TEST(NumberFormat, NotANumberStaysOne) {
  for (int f = 0; f < kNumNumberFormats; ++f) {
    const auto format = static_cast<NumberFormat>(f);
    EXPECT_TRUE(std::isnan(round_to(format, NAN))) << to_string(format);
  }
  EXPECT_TRUE(std::isnan(float_of_bf16(bf16_of_float(NAN))));
  EXPECT_TRUE(std::isnan(float_of_bf16(kPoison)));
}

}  // namespace
}  // namespace evoke::attention
