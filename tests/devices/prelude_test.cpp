#include "evoke/devices/cpu/prelude.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

namespace {

TEST(Prelude, Bfloat16RoundsToNearestEven) {
  const auto rounded = [](float value) {
    return static_cast<float>(bfloat16(value));
  };
  EXPECT_EQ(rounded(1.0f), 1.0f);
  EXPECT_EQ(rounded(1.00390625f), 1.0f);        // half way, to even
  EXPECT_EQ(rounded(1.01171875f), 1.015625f);   // half way, to even
  EXPECT_EQ(rounded(1.00390637f), 1.0078125f);  // just above half way
  EXPECT_EQ(rounded(-3.0e38f), static_cast<float>(bfloat16(-3.0e38f)));
  EXPECT_EQ(rounded(3.4e38f), INFINITY);
  EXPECT_TRUE(std::isnan(rounded(NAN)));
  const float quiet = std::bit_cast<float>(0x7f800001u);
  EXPECT_TRUE(std::isnan(rounded(quiet)));
  bfloat16 assigned;
  assigned = 2.5f;
  EXPECT_EQ(assigned * 2.0f, 5.0f);
}

TEST(Prelude, VectorsRoundLikeScalars) {
  for (const float value : {0.0f, -1.0f, 1.00390625f, 1.01171875f, 3.14159f,
                            -2.7e20f, 1e-20f, 3.4e38f, INFINITY, NAN}) {
    const Words words = round_words(splat(value));
    const float back =
        std::bit_cast<float>(static_cast<uint32_t>(words[kLanes - 1]) << 16);
    const auto expected = static_cast<float>(bfloat16(value));
    EXPECT_TRUE(back == expected || (std::isnan(back) && std::isnan(expected)))
        << value;
    bfloat16 stored[kLanes];
    store_bfloat16(stored, splat(value));
    EXPECT_EQ(stored[0].bits, stored[kLanes - 1].bits);
    EXPECT_EQ(stored[0].bits, words[0]) << value;
  }
}

TEST(Prelude, PairsSplitAndJoin) {
  bfloat16 row[2 * kLanes];
  for (int i = 0; i < 2 * kLanes; ++i) row[i] = static_cast<float>(i);
  const Words pairs = load_pairs(row);
  const Floats even = even_of(pairs);
  const Floats odd = odd_of(pairs);
  for (int i = 0; i < kLanes; ++i) {
    EXPECT_EQ(even[i], 2 * i);
    EXPECT_EQ(odd[i], 2 * i + 1);
  }
  bfloat16 back[2 * kLanes];
  store_pairs(back, make_pairs(even, odd));
  EXPECT_EQ(std::memcmp(back, row, sizeof(row)), 0);
  const Floats plain = load_bfloat16(row + 3);
  for (int i = 0; i < kLanes; ++i) EXPECT_EQ(plain[i], i + 3);

  const Floats dot = dot_pairs(splat(0.5f), pairs, pairs);
  for (int i = 0; i < kLanes; ++i) {
    EXPECT_EQ(dot[i],
              0.5f + static_cast<float>(4 * i * i + (2 * i + 1) * (2 * i + 1)));
  }
}

TEST(Prelude, CombinesAcrossLanes) {
  Floats rows[kLanes];
  Floats again[kLanes];
  Words words[kLanes];
  float sums[kLanes] = {};
  float greatest[kLanes] = {};
  for (int i = 0; i < kLanes; ++i) {
    for (int j = 0; j < kLanes; ++j) {
      rows[i][j] = static_cast<float>((i * 37 + j * 11) % 23);
      sums[i] += rows[i][j];
      greatest[i] = std::max(greatest[i], static_cast<float>(rows[i][j]));
      words[i][j] = static_cast<uint32_t>(100 * i + j);
    }
    again[i] = rows[i];
    EXPECT_EQ(sum_lanes(rows[i]), sums[i]);
    EXPECT_EQ(max_lanes(rows[i]), greatest[i]);
  }
  const Floats all_sums = sum_each(rows);
  const Floats all_greatest = max_each(again);
  transpose(words);
  for (int i = 0; i < kLanes; ++i) {
    EXPECT_EQ(all_sums[i], sums[i]);
    EXPECT_EQ(all_greatest[i], greatest[i]);
    EXPECT_EQ(lane_numbers()[i], i);
    for (int j = 0; j < kLanes; ++j) {
      EXPECT_EQ(words[i][j], static_cast<uint32_t>(100 * j + i));
    }
  }
}

template <int degree>
void check_exp2(double limit) {
  for (float x = -125; x < 126; x += 0.0371f) {
    const double expected = std::exp2(static_cast<double>(x));
    const double error = std::abs(
        static_cast<double>(exp2_lanes<degree>(splat(x))[0]) / expected - 1);
    ASSERT_TRUE(error <= limit) << degree << " at " << x << ": " << error;
  }
  const auto at = [](float x) {
    return static_cast<float>(exp2_lanes<degree>(splat(x))[kLanes - 1]);
  };
  EXPECT_TRUE(std::isnan(at(NAN)));
  EXPECT_EQ(at(-INFINITY), 0.0f);
  EXPECT_EQ(at(-1e9f), 0.0f);
  EXPECT_EQ(at(INFINITY), INFINITY);
  EXPECT_EQ(at(1e9f), INFINITY);
  EXPECT_GE(at(-126.5f), 0.0f);
  EXPECT_LT(at(-126.5f), 1.2e-38f);
}

TEST(Prelude, Exp2IsAsGoodAsItSays) {
  check_exp2<0>(1e-7);
  check_exp2<3>(7.6e-5);
  check_exp2<4>(2.8e-6);
  check_exp2<5>(2.5e-7);
  check_exp2<6>(1.2e-7);
}

TEST(Prelude, MaximumAndSelection) {
  const Floats one = splat(1.0f);
  EXPECT_EQ(max(one, splat(2.0f))[0], 2.0f);
  EXPECT_EQ(max(splat(-INFINITY), one)[0], 1.0f);
  EXPECT_EQ(max(splat(NAN), one)[0], 1.0f);
  EXPECT_TRUE(std::isnan(static_cast<float>(max(one, splat(NAN))[0])));
  const Floats chosen = select(lane_numbers() < 2, splat(5.0f), splat(7.0f));
  EXPECT_EQ(chosen[1], 5.0f);
  EXPECT_EQ(chosen[2], 7.0f);
}

}  // namespace
