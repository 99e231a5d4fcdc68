#include "evoke/attention/attention_case.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/attention/attention_fixtures.h"

namespace evoke::attention {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

void set_element(const AttentionCase& prepared,
                 std::vector<std::byte>& allocation, int64_t h, int64_t i,
                 int64_t d, uint16_t bits) {
  const int64_t at =
      row_offset_bytes(prepared.tensors()[kOutput], 0, h, i) + 2 * d;
  std::memcpy(allocation.data() + at, &bits, 2);
}

class EveryLayout : public testing::TestWithParam<std::string> {};

TEST_P(EveryLayout, AcceptsTheRightAnswer) {
  AttentionShape batch = small_shape(3, 70, true);
  batch.B = 3;
  for (const AttentionShape& shape :
       {small_shape(1, 65), small_shape(9, 33, true), batch}) {
    for (const std::string& input : input_names()) {
      const AttentionCase prepared = make_case(shape, input, GetParam());
      const CheckReport report = prepared.check(right_output(prepared));
      EXPECT_EQ(report.verdict, CheckVerdict::right) << report.message;
      EXPECT_LE(report.row_ratio, 1);
    }
  }
}

TEST_P(EveryLayout, WritesTheInputsItComputesFrom) {
  AttentionShape shape = small_shape(3, 20);
  shape.B = 2;
  const AttentionCase prepared = make_case(shape, "blend", GetParam());
  const FloatInputs inputs = float_inputs(prepared.generator());
  const std::vector<float>* sources[] = {&inputs.query, &inputs.key,
                                         &inputs.value};
  for (std::size_t index = 0; index < 3; ++index) {
    const TensorLayout& tensor = prepared.tensors()[index];
    std::vector<std::byte> allocation(tensor.allocation_bytes);
    prepared.write(index, allocation);
    EXPECT_EQ(allocation, laid_out(tensor, *sources[index])) << tensor.name;
  }
}

INSTANTIATE_TEST_SUITE_P(All, EveryLayout, testing::ValuesIn(layout_names()));

TEST(AttentionCase, AnUntouchedOutputIsNotWritten) {
  const AttentionCase prepared =
      make_case(small_shape(3, 20), "normal", "transposed");
  std::vector<std::byte> output(prepared.tensors()[kOutput].allocation_bytes);
  prepared.write(kOutput, output);
  const CheckReport report = prepared.check(output);
  EXPECT_EQ(report.verdict, CheckVerdict::wrong);
  EXPECT_THAT(report.message, StartsWith("chunk-3x20-full-h4:2-d32/normal/"));
  EXPECT_THAT(report.message, HasSubstr("not written"));
}

TEST(AttentionCase, OneElementLeftOutIsFound) {
  const AttentionCase prepared =
      make_case(small_shape(3, 20), "normal", "contiguous");
  auto output = right_output(prepared);
  set_element(prepared, output, 2, 1, 31, kPoison);
  const CheckReport report = prepared.check(output);
  EXPECT_EQ(report.verdict, CheckVerdict::wrong);
  EXPECT_THAT(report.message,
              HasSubstr("batch 0, query head 2, query 1: not written"));
}

TEST(AttentionCase, NaNAndInfinityAreWrong) {
  const AttentionCase prepared =
      make_case(small_shape(3, 20), "normal", "cache");
  for (const uint16_t bits : {0x7f80, 0xff80, 0x7fc0, 0x7f81}) {
    auto output = right_output(prepared);
    set_element(prepared, output, 3, 0, 7, bits);
    const CheckReport report = prepared.check(output);
    EXPECT_EQ(report.verdict, CheckVerdict::wrong);
    EXPECT_THAT(report.message, HasSubstr("NaN or infinity"));
    EXPECT_TRUE(std::isinf(report.row_ratio));
  }
}

TEST(AttentionCase, ADamagedGuardIsOutOfBounds) {
  const AttentionCase prepared =
      make_case(small_shape(3, 20), "normal", "transposed");
  const TensorLayout& tensor = prepared.tensors()[kOutput];
  // Before, after, and between the rows.
  for (const int64_t at : {int64_t{0}, tensor.offset_bytes - 1,
                           row_offset_bytes(tensor, 0, 1, 1) + 2 * 32,
                           tensor.allocation_bytes - 1}) {
    auto output = right_output(prepared);
    output[at] = std::byte{0};
    const CheckReport report = prepared.check(output);
    EXPECT_EQ(report.verdict, CheckVerdict::out_of_bounds);
    EXPECT_THAT(report.message,
                HasSubstr("byte " + std::to_string(at - tensor.offset_bytes)));
  }
}

TEST(AttentionCase, AnOutputOfAnotherSizeIsWrong) {
  const AttentionCase prepared =
      make_case(small_shape(1, 20), "normal", "contiguous");
  auto output = right_output(prepared);
  output.pop_back();
  EXPECT_EQ(prepared.check(output).verdict, CheckVerdict::wrong);
}

TEST(AttentionCase, AnotherSeedHasAnotherAnswer) {
  const AttentionShape shape = small_shape(4, 20, true);
  const AttentionCase one = make_case(shape, "normal", "contiguous", 1);
  const AttentionCase two = make_case(shape, "normal", "contiguous", 2);
  EXPECT_EQ(two.check(right_output(one)).verdict, CheckVerdict::wrong);
}

TEST(AttentionCase, OneKeyMustGiveItsValue) {
  const AttentionShape shape = small_shape(1, 1);
  const AttentionCase prepared = make_case(shape, "normal", "contiguous");
  const auto exact = computed({}, float_inputs(prepared.generator()));
  const TensorLayout& tensor = prepared.tensors()[kOutput];
  EXPECT_EQ(prepared.check(laid_out(tensor, exact)).verdict,
            CheckVerdict::right);
  auto larger = exact;
  for (float& x : larger) x *= 1 + 0x1p-7f;  // one unit in the last place
  EXPECT_EQ(prepared.check(laid_out(tensor, larger)).verdict,
            CheckVerdict::wrong);
}

// Too large to compare in full: rows outside the sample still may not leave
// the range of the values.
TEST(AttentionCase, RowsOutsideTheSampleAreBounded) {
  AttentionShape shape = small_shape(300, 600);
  ASSERT_GT(shape.key_rows(), kMaxCheckedKeyRows);
  const AttentionCase prepared = make_case(shape, "normal", "contiguous");
  const Truth& truth = prepared.truth();
  ASSERT_LT(truth.rows.size(), 1200U);
  std::vector<bool> sampled(1200);
  for (const CheckedRow& row : truth.rows) {
    sampled[row.head * 300 + row.i] = true;
  }
  int64_t outside = 0;
  while (sampled[outside]) ++outside;

  auto output = right_output(prepared);
  EXPECT_EQ(prepared.check(output).verdict, CheckVerdict::right);
  set_element(prepared, output, outside / 300, outside % 300, 0,
              bf16_of_float(40.0f));
  CheckReport report = prepared.check(output);
  EXPECT_EQ(report.verdict, CheckVerdict::wrong);
  EXPECT_THAT(report.message, HasSubstr("outside the range"));
  set_element(prepared, output, outside / 300, outside % 300, 0, kPoison);
  report = prepared.check(output);
  EXPECT_THAT(report.message, HasSubstr("not written"));
}

}  // namespace
}  // namespace evoke::attention
