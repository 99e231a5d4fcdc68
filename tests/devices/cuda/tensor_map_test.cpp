#include "evoke/devices/cuda/tensor_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace evoke::cuda {
namespace {

using ::testing::HasSubstr;

// (B, Hkv, Lk, D) = (2, 8, 100, 128), a slice of a cache with room for 512.
TensorLayout slice() {
  return {"key",
          DType::bfloat16,
          {2, 8, 100, 128},
          {int64_t{8} * 512 * 128, int64_t{512} * 128, 128, 1},
          0,
          int64_t{2} * 8 * 512 * 128 * 2};
}

ResolvedTensorMap map_of(std::vector<std::vector<int64_t>> order,
                         std::vector<int64_t> box) {
  ResolvedTensorMap map;
  map.name = "tiles";
  map.element_strides.assign(box.size(), 1);
  map.order = std::move(order);
  map.box = std::move(box);
  map.swizzle_bytes = 128;
  map.l2_promotion_bytes = 256;
  return map;
}

TEST(TensorMaps, TakeExtentsFromTheLogicalShape) {
  const auto arguments = tensor_map_arguments(
      map_of({{3}, {2}, {1}, {0}}, {64, 128, 1, 1}), slice());
  ASSERT_TRUE(arguments) << arguments.error().message;
  EXPECT_EQ(arguments->type, TensorMapType::bfloat16);
  EXPECT_EQ(arguments->rank, 4U);
  EXPECT_EQ(arguments->extents[0], 128U);
  EXPECT_EQ(arguments->extents[1], 100U);  // not 512
  EXPECT_EQ(arguments->extents[2], 8U);
  EXPECT_EQ(arguments->extents[3], 2U);
  EXPECT_EQ(arguments->byte_strides[0], 256U);
  EXPECT_EQ(arguments->byte_strides[1], 512U * 256);
  EXPECT_EQ(arguments->byte_strides[2], 8U * 512 * 256);
  EXPECT_EQ(arguments->box[1], 128U);
  EXPECT_EQ(arguments->swizzle, 3);
  EXPECT_EQ(arguments->l2_promotion, 3);
}

TEST(TensorMaps, MergeWhatLiesWithoutGaps) {
  const auto heads =
      tensor_map_arguments(map_of({{3}, {2}, {0, 1}}, {64, 64, 1}), slice());
  ASSERT_TRUE(heads) << heads.error().message;
  EXPECT_EQ(heads->rank, 3U);
  EXPECT_EQ(heads->extents[2], 16U);
  EXPECT_EQ(heads->byte_strides[1], 512U * 256);
  const auto rows =
      tensor_map_arguments(map_of({{3}, {1, 2}, {0}}, {64, 64, 1}), slice());
  ASSERT_FALSE(rows);
  EXPECT_THAT(rows.error().message, HasSubstr("has gaps here"));
}

TEST(TensorMaps, DimensionsOfOneLieAnywhere) {
  TensorLayout layout = slice();
  layout.shape = {1, 8, 1, 128};
  layout.strides = {3, 128, 7, 1};
  const auto arguments = tensor_map_arguments(
      map_of({{3}, {2}, {1}, {0}}, {64, 64, 1, 1}), layout);
  ASSERT_TRUE(arguments) << arguments.error().message;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(arguments->byte_strides[static_cast<std::size_t>(i)] % 16, 0U);
    EXPECT_GT(arguments->byte_strides[static_cast<std::size_t>(i)], 0U);
  }
  EXPECT_EQ(arguments->byte_strides[1], 256U);
}

TEST(TensorMaps, StridesThatTheEngineCannotTakeAreNamed) {
  TensorLayout layout{"sums", DType::float32, {4, 3, 2}, {6, 2, 1}, 0, 96};
  const auto odd =
      tensor_map_arguments(map_of({{2}, {1}, {0}}, {2, 1, 1}), layout);
  ASSERT_FALSE(odd);
  EXPECT_THAT(odd.error().message, HasSubstr("stride of 8 bytes"));
  layout.strides = {1, 4, 12};
  const auto turned =
      tensor_map_arguments(map_of({{2}, {1}, {0}}, {2, 1, 1}), layout);
  ASSERT_FALSE(turned);
  EXPECT_THAT(turned.error().message, HasSubstr("side by side"));
}

}  // namespace
}  // namespace evoke::cuda
