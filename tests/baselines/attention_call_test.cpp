#include "evoke/baselines/attention_call.h"

#include <gmock/gmock.h>

#include "tests/baselines/naive_attention.h"

namespace evoke::baselines::testing {
namespace {

using ::testing::HasSubstr;

std::string refusal(const Shape& shape,
                    const std::vector<BoundTensor>& tensors) {
  const Result<AttentionCall> call = attention_call(shape, tensors);
  return call ? std::string() : call.error().message;
}

TEST(AttentionCall, KeepsSizesAndStrides) {
  Problem problem({.B = 2, .Lq = 3, .Lk = 5, .causal = true, .capacity = 8});
  const Result<AttentionCall> call =
      attention_call(problem.shape(), problem.tensors());
  ASSERT_TRUE(call) << call.error().message;
  EXPECT_EQ(call->geometry.group(), 2);
  EXPECT_TRUE(call->geometry.causal);
  EXPECT_TRUE(call->query.contiguous());
  EXPECT_FALSE(call->key.contiguous());
  EXPECT_EQ(call->key.strides,
            (std::array<int64_t, 4>{8 * 8 * 128, 8 * 128, 128, 1}));
  EXPECT_EQ(call->key.span(), 15 * 8 * 128 + 4 * 128 + 128);
  EXPECT_EQ(call->key.at(1, 2, 3) - call->key.data,
            2 * ((8 + 2) * 8 * 128 + 3 * 128));
}

TEST(AttentionCall, StridesOfADimensionOfOneDoNotMatter) {
  Problem problem({.Lk = 4});
  std::vector<BoundTensor> tensors = problem.tensors();
  tensors[0].layout.strides[0] = 12345;
  tensors[0].layout.strides[2] = 77;
  const Result<AttentionCall> odd = attention_call(problem.shape(), tensors);
  const Result<AttentionCall> usual =
      attention_call(problem.shape(), problem.tensors());
  ASSERT_TRUE(odd && usual);
  EXPECT_TRUE(odd->query.contiguous());
  EXPECT_EQ(odd->geometry, usual->geometry);
}

TEST(AttentionCall, RefusesWhatDoesNotFit) {
  Problem problem({.Lq = 2, .Lk = 4, .causal = true});
  const std::vector<BoundTensor> tensors = problem.tensors();
  Shape shape = problem.shape();
  shape.values.erase("D");
  EXPECT_THAT(refusal(shape, tensors), HasSubstr("no 'D'"));
  shape = problem.shape();
  shape.scalars.clear();
  EXPECT_THAT(refusal(shape, tensors), HasSubstr("no 'scale'"));
  shape = problem.shape();
  shape.values["Hkv"] = 3;
  EXPECT_THAT(refusal(shape, tensors), HasSubstr("not a multiple"));
  shape = problem.shape();
  shape.values["Lq"] = 9;
  EXPECT_THAT(refusal(shape, tensors), HasSubstr("without a key"));
  shape = problem.shape();
  shape.values["Lk"] = 0;
  EXPECT_THAT(refusal(shape, tensors), HasSubstr("Lk is 0"));
  shape = problem.shape();
  shape.values["Lk"] = 5;
  EXPECT_THAT(refusal(shape, tensors), HasSubstr("tensor 'key'"));

  std::vector<BoundTensor> bad = tensors;
  bad[2].layout.type = DType::float32;
  EXPECT_THAT(refusal(problem.shape(), bad), HasSubstr("tensor 'value'"));
  bad = tensors;
  bad[1].layout.strides[3] = 2;
  EXPECT_THAT(refusal(problem.shape(), bad), HasSubstr("contiguous"));
  bad = tensors;
  bad[3].data = nullptr;
  EXPECT_THAT(refusal(problem.shape(), bad), HasSubstr("tensor 'output'"));
  bad.erase(bad.begin());
  EXPECT_THAT(refusal(problem.shape(), bad), HasSubstr("no tensor 'query'"));
}

TEST(AttentionCall, CopiesIntoStridedViews) {
  Problem problem({.B = 2,
                   .Hq = 4,
                   .Hkv = 2,
                   .Lq = 3,
                   .Lk = 3,
                   .D = 8,
                   .transposed = true});
  const Result<AttentionCall> call =
      attention_call(problem.shape(), problem.tensors());
  ASSERT_TRUE(call);
  std::vector<uint16_t> dense(2 * 4 * 3 * 8);
  for (std::size_t i = 0; i < dense.size(); ++i) {
    dense[i] = static_cast<uint16_t>(i);
  }
  copy_into(call->output, reinterpret_cast<const std::byte*>(dense.data()));
  uint16_t expected = 0;
  problem.output().for_each([&](uint16_t& element) {
    EXPECT_EQ(element, expected);
    ++expected;
  });
}

}  // namespace
}  // namespace evoke::baselines::testing
