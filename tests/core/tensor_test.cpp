#include "evoke/core/tensor.h"

#include <gtest/gtest.h>

namespace evoke {
namespace {

TEST(Tensor, TypesHaveSizesAndNames) {
  EXPECT_EQ(size_of(DType::bfloat16), 2);
  EXPECT_EQ(size_of(DType::float16), 2);
  EXPECT_EQ(size_of(DType::float32), 4);
  EXPECT_EQ(size_of(DType::int32), 4);
  EXPECT_EQ(size_of(DType::uint32), 4);
  for (const DType type : {DType::bfloat16, DType::float16, DType::float32,
                           DType::int32, DType::uint32}) {
    EXPECT_EQ(*parse_dtype(to_string(type)), type);
  }
  const auto unknown = parse_dtype("double");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().kind, ErrorKind::absent);
}

TEST(Tensor, CountsElements) {
  TensorLayout layout;
  EXPECT_EQ(layout.num_elements(), 1);  // a scalar
  layout.shape = {2, 3, 4};
  EXPECT_EQ(layout.num_elements(), 24);
  layout.shape = {2, 0};
  EXPECT_EQ(layout.num_elements(), 0);
}

}  // namespace
}  // namespace evoke
