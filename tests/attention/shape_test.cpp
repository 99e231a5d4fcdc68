#include "evoke/attention/shape.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/attention/attention_fixtures.h"

namespace evoke::attention {
namespace {

using testing::HasSubstr;

TEST(AttentionShape, CausalIsAlignedAtTheBottomRight) {
  const AttentionShape shape = small_shape(3, 5, true);
  EXPECT_EQ(shape.visible_keys(0), 3);
  EXPECT_EQ(shape.visible_keys(2), 5);
  EXPECT_EQ(small_shape(3, 5).visible_keys(0), 5);
}

TEST(AttentionShape, RowsBeforeTheFirstKeySeeNothing) {
  const AttentionShape shape = small_shape(5, 3, true);
  EXPECT_EQ(shape.visible_keys(0), 0);
  EXPECT_EQ(shape.visible_keys(1), 0);
  EXPECT_EQ(shape.visible_keys(2), 1);
}

TEST(AttentionShape, KeyRowsIsTheSumOfVisibleKeys) {
  for (const bool causal : {false, true}) {
    for (int64_t q_len = 1; q_len < 9; ++q_len) {
      for (int64_t kv_len = 1; kv_len < 9; ++kv_len) {
        AttentionShape shape = small_shape(q_len, kv_len, causal);
        shape.B = 3;
        int64_t sum = 0;
        for (int64_t i = 0; i < q_len; ++i) sum += shape.visible_keys(i);
        EXPECT_EQ(shape.key_rows(), sum * 3 * 4) << q_len << " x " << kv_len;
      }
    }
  }
}

TEST(AttentionShape, NamesSayWhatIsUnusual) {
  AttentionShape shape;
  shape.Lk = 4096;
  EXPECT_EQ(shape.name(), "decode-4096");
  shape.B = 8;
  EXPECT_EQ(shape.name(), "decode-4096-b8");
  shape = {};
  shape.Lq = shape.Lk = 64;
  shape.causal = true;
  EXPECT_EQ(shape.name(), "prefill-64");
  shape.causal = false;
  EXPECT_EQ(shape.name(), "prefill-64-full");
  shape.Lk = 65;
  shape.Hq = 32;
  shape.D = 64;
  EXPECT_EQ(shape.name(), "chunk-64x65-full-h32:8-d64");
}

TEST(AttentionShape, SurvivesTheRoundTripThroughShape) {
  const AttentionShape shape = small_shape(7, 65, true);
  const Shape general = to_shape(shape, "mine");
  EXPECT_EQ(general.name, "mine");
  EXPECT_EQ(general.scalars.at("scale"), shape.scale());
  EXPECT_EQ(from_shape(general), shape);
}

TEST(AttentionShape, AMissingLetterIsMisuse) {
  Shape shape = to_shape(small_shape(1, 1));
  shape.values.erase("Lk");
  EXPECT_THROW(from_shape(shape), std::out_of_range);
}

TEST(AttentionShape, CheckNamesWhatIsWrong) {
  EXPECT_TRUE(check(small_shape(7, 65, true)));
  const auto message = [](auto change) {
    AttentionShape shape = small_shape(7, 65, true);
    change(shape);
    const auto checked = check(shape);
    return checked ? std::string() : checked.error().message;
  };
  EXPECT_THAT(message([](auto& s) { s.Hq = 5; }),
              HasSubstr("Hq is 5, not a multiple of Hkv 2"));
  EXPECT_THAT(message([](auto& s) { s.D = 12; }), HasSubstr("multiple of 8"));
  EXPECT_THAT(message([](auto& s) { s.D = 1024; }), HasSubstr("up to 512"));
  EXPECT_THAT(message([](auto& s) { s.Lq = 66; }), HasSubstr("without a key"));
  EXPECT_THAT(message([](auto& s) { s.B = 0; }), HasSubstr("B is 0"));
}

}  // namespace
}  // namespace evoke::attention
