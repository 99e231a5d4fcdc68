#include "evoke/attention/inputs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "evoke/attention/bf16.h"
#include "tests/attention/attention_fixtures.h"

namespace evoke::attention {
namespace {

double score(const FloatInputs& inputs, int64_t h, int64_t i, int64_t j) {
  const float* q = inputs.query_row(0, h, i);
  const float* k = inputs.keys_of(0, h) + j * inputs.shape.D;
  double sum = 0;
  for (int64_t d = 0; d < inputs.shape.D; ++d) {
    sum += static_cast<double>(q[d]) * k[d];
  }
  return sum * static_cast<double>(inputs.shape.scale());
}

TEST(Inputs, AreAFunctionOfShapeInputAndSeed) {
  const AttentionShape shape = small_shape(3, 40, true);
  for (const std::string& input : input_names()) {
    const FloatInputs one = float_inputs({shape, input, 5});
    const FloatInputs same = float_inputs({shape, input, 5});
    const FloatInputs other = float_inputs({shape, input, 6});
    EXPECT_EQ(one.query, same.query) << input;
    EXPECT_EQ(one.key, same.key) << input;
    EXPECT_EQ(one.value, same.value) << input;
    EXPECT_NE(one.query, other.query) << input;
    EXPECT_NE(one.key, other.key) << input;
    EXPECT_NE(one.value, other.value) << input;
  }
}

TEST(Inputs, HeadsRowsAndBatchesDiffer) {
  AttentionShape shape = small_shape(4, 8);
  shape.B = 2;
  const InputGenerator generator(shape, "normal", 1);
  std::set<std::vector<uint16_t>> rows;
  std::vector<uint16_t> row(shape.D);
  std::size_t count = 0;
  for (int64_t b = 0; b < shape.B; ++b) {
    for (int64_t h = 0; h < shape.Hkv; ++h) {
      for (int64_t j = 0; j < shape.Lk; ++j, count += 2) {
        generator.key_row(b, h, j, row.data());
        rows.insert(row);
        generator.value_row(b, h, j, row.data());
        rows.insert(row);
      }
    }
    for (int64_t h = 0; h < shape.Hq; ++h) {
      for (int64_t i = 0; i < shape.Lq; ++i, ++count) {
        generator.query_row(b, h, i, row.data());
        rows.insert(row);
      }
    }
  }
  EXPECT_EQ(rows.size(), count);
}

TEST(Inputs, APlaneIsItsRows) {
  const AttentionShape shape = small_shape(1, 9);
  const InputGenerator generator(shape, "mixed", 1);
  std::vector<uint16_t> plane(shape.Lk * shape.D), row(shape.D);
  generator.key_plane(0, 1, plane.data());
  for (int64_t j = 0; j < shape.Lk; ++j) {
    generator.key_row(0, 1, j, row.data());
    EXPECT_TRUE(std::equal(row.begin(), row.end(), &plane[j * shape.D]));
  }
}

TEST(Inputs, EveryKindIsFinite) {
  for (const std::string& input : input_names()) {
    const FloatInputs inputs = float_inputs({small_shape(5, 70), input, 2});
    for (const auto* tensor : {&inputs.query, &inputs.key, &inputs.value}) {
      for (const float x : *tensor) ASSERT_TRUE(std::isfinite(x)) << input;
    }
  }
}

TEST(Inputs, NeedlesPointAtEndsEdgesAndTheFirstMaskedKey) {
  AttentionShape shape;
  shape.Lq = 16;
  shape.Lk = 200;
  shape.causal = true;
  const FloatInputs inputs = float_inputs({shape, "needle", 3});
  bool first = false, last = false, masked = false, tail = false;
  bool moderate = false, strong = false;
  for (int64_t h = 0; h < shape.Hq; ++h) {
    for (int64_t i = 0; i < shape.Lq; ++i) {
      const int64_t visible = shape.visible_keys(i);
      int64_t best = 0;
      for (int64_t j = 1; j < shape.Lk; ++j) {
        if (score(inputs, h, i, j) > score(inputs, h, i, best)) best = j;
      }
      double others = 0;
      for (int64_t j = 0; j < shape.Lk; ++j) {
        if (j != best) others += std::exp(score(inputs, h, i, j));
      }
      const double share = others / std::exp(score(inputs, h, i, best));
      EXPECT_LT(share, 2) << "no needle";
      moderate |= share > 0.1;
      strong |= share < 0.01;
      first |= best == 0;
      last |= best == visible - 1;
      masked |= best == visible;
      tail |= best == (visible - 1) / 64 * 64;
    }
  }
  EXPECT_TRUE(first && last && masked && tail);
  EXPECT_TRUE(moderate && strong);
}

TEST(Inputs, MixedHasZerosAndValuesBeyondFloat16) {
  AttentionShape shape = small_shape(6, 300);
  shape.Hq = shape.Hkv = 8;
  const FloatInputs inputs = float_inputs({shape, "mixed", 3});
  const auto is_zero = [&](const float* row) {
    return std::all_of(row, row + shape.D, [](float x) { return x == 0; });
  };
  int tiny = 0, huge = 0;
  for (int64_t h = 0; h < shape.Hq; ++h) {
    int queries = 0, keys = 0;
    float largest = 0;
    for (int64_t i = 0; i < shape.Lq; ++i) {
      queries += is_zero(inputs.query_row(0, h, i)) ? 1 : 0;
    }
    for (int64_t j = 0; j < shape.Lk; ++j) {
      keys += is_zero(inputs.keys_of(0, h) + j * shape.D) ? 1 : 0;
      const float* value = inputs.values_of(0, h) + j * shape.D;
      EXPECT_FALSE(is_zero(value));
      for (int64_t d = 0; d < shape.D; ++d) {
        largest = std::max(largest, std::abs(value[d]));
      }
    }
    EXPECT_EQ(queries, 2);
    EXPECT_GT(keys, 5);
    EXPECT_LT(keys, 60);
    tiny += largest < 0x1p-14f ? 1 : 0;
    huge += largest > 65504.0f ? 1 : 0;
  }
  EXPECT_EQ(tiny + huge, 8);
  EXPECT_GT(tiny, 0);
  EXPECT_GT(huge, 0);
}

TEST(Inputs, ShiftsMoveTheScoresBy150) {
  AttentionShape shape = small_shape(1, 300);
  const FloatInputs up = float_inputs({shape, "shift_up", 4});
  const FloatInputs down = float_inputs({shape, "shift_down", 4});
  for (int64_t j = 0; j < shape.Lk; ++j) {
    EXPECT_NEAR(score(up, 0, 0, j), j < 64 ? -150 : 150, 12);
    EXPECT_NEAR(score(down, 0, 0, j), -150, 12);
  }
}

TEST(Inputs, ContrastCancelsAndSinkDominates) {
  AttentionShape shape;
  shape.Lk = 512;
  const FloatInputs contrast = float_inputs({shape, "contrast", 5});
  const auto output = computed({}, contrast);
  for (int64_t h = 0; h < shape.Hq; ++h) {
    // Values are +-1 with noise; what is left is far smaller.
    double squares = 0;
    for (int64_t d = 0; d < shape.D; ++d) {
      squares += std::pow(output[h * shape.D + d], 2);
    }
    EXPECT_LT(std::sqrt(squares / static_cast<double>(shape.D)), 0.25);
  }
  const FloatInputs sink = float_inputs({shape, "sink", 5});
  for (int64_t h = 0; h < shape.Hq; ++h) {
    double total = 0, first = 0;
    for (int64_t j = 0; j < shape.Lk; ++j) {
      const double p = std::exp(score(sink, h, 0, j));
      total += p;
      if (j < 2) first += p;
    }
    EXPECT_GT(first / total, 0.3);
    EXPECT_LT(first / total, 0.99);
  }
}

TEST(Inputs, BlendHasEveryKindInASecretOrder) {
  AttentionShape shape;
  std::set<std::vector<InputKind>> orders;
  for (uint64_t seed = 0; seed < 5; ++seed) {
    const InputGenerator generator(shape, "blend", seed);
    std::vector<InputKind> order;
    for (int64_t h = 0; h < shape.Hkv; ++h) {
      order.push_back(generator.kind(0, h));
    }
    orders.insert(order);
    EXPECT_EQ(std::set<InputKind>(order.begin(), order.end()).size(),
              kNumInputKinds);
  }
  EXPECT_GT(orders.size(), 2U);
}

TEST(Inputs, AnUnknownNameIsMisuse) {
  EXPECT_FALSE(is_input_name("nomal"));
  EXPECT_THROW(InputGenerator(small_shape(1, 1), "nomal", 1),
               std::invalid_argument);
}

}  // namespace
}  // namespace evoke::attention
