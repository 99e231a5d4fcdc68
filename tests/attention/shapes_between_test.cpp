#include "evoke/attention/shapes_between.h"

#include <gtest/gtest.h>

#include <set>

#include "evoke/attention/shape.h"

namespace evoke::attention {
namespace {

Shape decode(int64_t keys) {
  AttentionShape shape;
  shape.Lk = keys;
  return to_shape(shape);
}

Shape prefill(int64_t length) {
  AttentionShape shape;
  shape.Lq = length;
  shape.Lk = length;
  shape.causal = true;
  return to_shape(shape);
}

TEST(ShapesBetween, LieInsideAndAreOtherOnes) {
  const std::vector<Shape> timed = {decode(256), decode(1024), decode(4096)};
  std::set<int64_t> drawn;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const auto shapes = shapes_between(timed, 2, seed);
    ASSERT_EQ(shapes.size(), 2U);
    EXPECT_NE(shapes[0].name, shapes[1].name);
    for (const Shape& each : shapes) {
      const AttentionShape shape = from_shape(each);
      EXPECT_GT(shape.Lk, 256);
      EXPECT_LT(shape.Lk, 4096);
      EXPECT_NE(shape.Lk, 1024);
      EXPECT_EQ(shape.Lq, 1);
      drawn.insert(shape.Lk);
    }
  }
  EXPECT_GT(drawn.size(), 60U);
}

TEST(ShapesBetween, KeepsPrefillsSquareAndCausal) {
  const std::vector<Shape> timed = {prefill(64), prefill(512)};
  for (const Shape& each : shapes_between(timed, 2, 7)) {
    const AttentionShape shape = from_shape(each);
    EXPECT_EQ(shape.Lq, shape.Lk);
    EXPECT_TRUE(shape.causal);
  }
}

TEST(ShapesBetween, NoneWhereNothingLiesBetween) {
  EXPECT_TRUE(shapes_between(std::vector<Shape>{}, 2, 1).empty());
  EXPECT_TRUE(shapes_between(std::vector{decode(64)}, 2, 1).empty());
  EXPECT_TRUE(
      shapes_between(std::vector{decode(64), decode(65)}, 2, 1).empty());
  EXPECT_EQ(shapes_between(std::vector{decode(64), decode(66)}, 2, 1).size(),
            1U);
}

TEST(ShapesBetween, KindsAreKeptApart) {
  const std::vector<Shape> timed = {decode(64), prefill(512), decode(128),
                                    prefill(64)};
  int decodes = 0;
  for (const Shape& each : shapes_between(timed, 2, 3)) {
    const AttentionShape shape = from_shape(each);
    if (shape.Lq == 1) {
      ++decodes;
      EXPECT_LT(shape.Lk, 128);
    } else {
      EXPECT_EQ(shape.Lq, shape.Lk);
    }
  }
  EXPECT_EQ(decodes, 2);
  EXPECT_EQ(shapes_between(timed, 2, 3).size(), 4U);
  EXPECT_TRUE(
      shapes_between(std::vector{decode(64), prefill(512)}, 2, 1).empty());
}

}  // namespace
}  // namespace evoke::attention
