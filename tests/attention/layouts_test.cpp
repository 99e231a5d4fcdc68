#include "evoke/attention/layouts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/attention/attention_fixtures.h"

namespace evoke::attention {
namespace {

class Layouts : public testing::TestWithParam<std::string> {};

std::vector<AttentionShape> shapes() {
  AttentionShape batch = small_shape(3, 7);
  batch.B = 3;
  return {small_shape(1, 1), small_shape(1, 256), small_shape(5, 300, true),
          batch};
}

TEST_P(Layouts, KeepTheContractOfTensors) {
  for (const AttentionShape& shape : shapes()) {
    const auto tensors = make_layouts(shape, GetParam());
    ASSERT_EQ(tensors.size(), kNumTensors);
    EXPECT_EQ(tensors[kQuery].name, "query");
    EXPECT_EQ(tensors[kKey].name, "key");
    EXPECT_EQ(tensors[kValue].name, "value");
    EXPECT_EQ(tensors[kOutput].name, "output");
    // MLX's own arrays lie between multiples of 16 (decision 050).
    const int64_t base = std::string_view(GetParam()) == "mlx" ? 8 : 0;
    for (const TensorLayout& tensor : tensors) {
      EXPECT_EQ(tensor.offset_bytes % 16, base);
      EXPECT_EQ(tensor.strides[3], 1);
      for (int d = 0; d < 3; ++d) EXPECT_EQ(tensor.strides[d] % 8, 0);
    }
  }
}

TEST_P(Layouts, RowsLieApartAndInside) {
  for (const AttentionShape& shape : shapes()) {
    for (const TensorLayout& tensor : make_layouts(shape, GetParam())) {
      std::set<int64_t> starts;
      for (int64_t b = 0; b < tensor.shape[0]; ++b) {
        for (int64_t h = 0; h < tensor.shape[1]; ++h) {
          for (int64_t i = 0; i < tensor.shape[2]; ++i) {
            starts.insert(row_offset_bytes(tensor, b, h, i));
          }
        }
      }
      const int64_t bytes = 2 * shape.D;
      EXPECT_EQ(static_cast<int64_t>(starts.size()),
                tensor.num_elements() / shape.D);
      int64_t end = 0;
      for (const int64_t start : starts) {
        EXPECT_GE(start, end);
        end = start + bytes;
      }
      // Room for a tile of 64 rows on either side.
      EXPECT_GE(*starts.begin(), 64 * bytes);
      EXPECT_LE(end + 64 * bytes, tensor.allocation_bytes);
    }
  }
}

TEST_P(Layouts, EveryByteOutsideTheRowsIsGuard) {
  const AttentionShape shape = small_shape(3, 5);
  const TensorLayout tensor = make_layouts(shape, GetParam())[kOutput];
  auto allocation =
      laid_out(tensor, std::vector<float>(shape.num_rows() * shape.D, 1.0f));
  EXPECT_EQ(find_damaged_guard(tensor, allocation), -1);
  int64_t guards = 0;
  for (int64_t at = 0; at < tensor.allocation_bytes; ++at) {
    const std::byte before = allocation[at];
    if (before != std::byte{0xff}) continue;  // of a row: 1.0 has no 0xff
    allocation[at] = std::byte{0};
    EXPECT_EQ(find_damaged_guard(tensor, allocation), at);
    allocation[at] = before;
    ++guards;
  }
  EXPECT_EQ(guards, tensor.allocation_bytes - 2 * shape.num_rows() * shape.D);
}

INSTANTIATE_TEST_SUITE_P(All, Layouts, testing::ValuesIn(layout_names()));

TEST(Layout, CachesHaveACapacityOf256sWithRoomToSpare) {
  const auto capacity = [](const char* layout, int64_t kv_len) {
    const auto key = make_layouts(small_shape(1, kv_len), layout)[kKey];
    return key.strides[1] / key.strides[2];
  };
  EXPECT_EQ(capacity("cache", 255), 256);
  EXPECT_EQ(capacity("cache", 256), 512);
  EXPECT_EQ(capacity("timed", 256), 256);
  EXPECT_EQ(capacity("timed", 257), 512);
  EXPECT_EQ(capacity("contiguous", 257), 257);
}

TEST(Layout, TransposedViewsPutHeadsInside) {
  const auto tensors = make_layouts(small_shape(5, 9), "transposed");
  EXPECT_LT(tensors[kQuery].strides[1], tensors[kQuery].strides[2]);
  EXPECT_LT(tensors[kOutput].strides[1], tensors[kOutput].strides[2]);
  // No more than the contract's alignment.
  EXPECT_EQ(tensors[kOutput].offset_bytes % 64, 16);
  EXPECT_EQ(tensors[kKey].offset_bytes % 64, 16);
}

TEST(Layout, AnUnknownNameIsMisuse) {
  EXPECT_THROW(make_layouts(small_shape(1, 1), "strided"),
               std::invalid_argument);
}

}  // namespace
}  // namespace evoke::attention
