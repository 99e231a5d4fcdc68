#include "evoke/attention/vector_ops.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "evoke/attention/bf16.h"

namespace evoke::attention {
namespace {

std::vector<float> uniform(std::size_t count, unsigned seed) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<float> distribution(-1, 1);
  std::vector<float> values(count);
  for (float& x : values) x = distribution(engine);
  return values;
}

// Every instruction set that this machine can run.
class EachVectorOps : public testing::TestWithParam<const VectorOps*> {};
INSTANTIATE_TEST_SUITE_P(Isa, EachVectorOps,
                         testing::ValuesIn(supported_vector_ops()),
                         [](const auto& each) { return each.param->isa; });

// Every dimension that is a multiple of 8, with odd numbers of rows.
TEST_P(EachVectorOps, DotAndAddAgreeWithPlainLoops) {
  const VectorOps& ops = *GetParam();
  for (int64_t dim = 8; dim <= 264; dim += 8) {
    const int64_t rows = 7;
    const int64_t stride = dim + 8;
    const auto query = uniform(dim, 1);
    const auto keys = uniform(rows * dim, 2);
    const auto values = uniform(rows * stride, 3);
    const std::vector<double> query_f64(query.begin(), query.end());
    std::vector<float> scores(rows), sum(dim, 0.5f);
    std::vector<double> scores_f64(rows), sum_f64(dim, 0.5);
    ops.dot_rows(query.data(), keys.data(), rows, dim, scores.data());
    ops.dot_rows_f64(query_f64.data(), keys.data(), rows, dim,
                     scores_f64.data());
    ops.add_rows(scores.data(), values.data(), stride, rows, dim, sum.data());
    ops.add_rows_f64(scores_f64.data(), values.data(), stride, rows, dim,
                     sum_f64.data());
    for (int64_t j = 0; j < rows; ++j) {
      double expected = 0;
      for (int64_t d = 0; d < dim; ++d) {
        expected += static_cast<double>(query[d]) * keys[j * dim + d];
      }
      EXPECT_NEAR(scores[j], expected, 1e-5) << dim;
      EXPECT_NEAR(scores_f64[j], expected, 1e-13) << dim;
    }
    for (int64_t d = 0; d < dim; ++d) {
      double expected = 0.5;
      for (int64_t j = 0; j < rows; ++j) {
        expected += scores_f64[j] * values[j * stride + d];
      }
      EXPECT_NEAR(sum[d], expected, 1e-4) << dim;
      EXPECT_NEAR(sum_f64[d], expected, 1e-13) << dim;
    }
  }
}

TEST_P(EachVectorOps, Exp2IsAccurateOverItsWholeRange) {
  for (int64_t count = 1; count < 20; ++count) {
    std::vector<float> x(count);
    for (int64_t i = 0; i < count; ++i) {
      x[i] = -126.0f + 253.0f * static_cast<float>(i) / 19;
    }
    std::vector<float> y = x;
    GetParam()->exp2(y.data(), count);
    for (int64_t i = 0; i < count; ++i) {
      const double expected = std::exp2(static_cast<double>(x[i]));
      EXPECT_NEAR(y[i] / expected, 1.0, 3e-7) << x[i];
    }
  }
}

TEST_P(EachVectorOps, Exp2AtTheEdges) {
  const float infinity = std::numeric_limits<float>::infinity();
  std::vector<float> x = {0, -1, 128, 1e9f, -infinity, infinity, -1e9f, NAN};
  GetParam()->exp2(x.data(), 8);
  EXPECT_EQ(x[0], 1.0f);
  EXPECT_EQ(x[1], 0.5f);
  EXPECT_EQ(x[2], infinity);
  EXPECT_EQ(x[3], infinity);
  EXPECT_EQ(x[4], 0.0f);
  EXPECT_EQ(x[5], infinity);
  EXPECT_EQ(x[6], 0.0f);
  EXPECT_TRUE(std::isnan(x[7]));
}

TEST_P(EachVectorOps, RoundingAgreesWithTheScalarConversion) {
  auto values = uniform(1000, 5);
  values.push_back(1.0f + 0x1p-8f);      // a tie: stays at even 1.0
  values.push_back(1.0f + 3 * 0x1p-8f);  // a tie: up to even
  auto rounded = values;
  GetParam()->round_bf16(rounded.data(), static_cast<int64_t>(rounded.size()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(rounded[i], round_to_bf16(values[i]));
  }
  EXPECT_EQ(rounded[1000], 1.0f);
  EXPECT_EQ(rounded[1001], 1.0f + 0x1p-6f);
}

TEST_P(EachVectorOps, DistanceSeesEveryElement) {
  for (int64_t broken = 0; broken < 24; ++broken) {
    const auto truth = uniform(24, 7);
    auto row = truth;
    row[broken] += 0.5f;
    RowDistance distance = GetParam()->distance(row.data(), truth.data(), 24);
    EXPECT_NEAR(distance.square_sum, 0.25, 1e-6);
    EXPECT_NEAR(distance.absolute_sum, 0.5, 1e-6);
    EXPECT_NEAR(distance.largest, 0.5, 1e-6);
    for (const float bad : {NAN, INFINITY, -INFINITY}) {
      row[broken] = bad;
      distance = GetParam()->distance(row.data(), truth.data(), 24);
      EXPECT_TRUE(std::isinf(distance.largest)) << bad;
    }
  }
}

TEST_P(EachVectorOps, NormalsHaveTheRightMoments) {
  constexpr int64_t kCount = 1 << 18;
  std::vector<uint16_t> bits(kCount);
  GetParam()->normal_bf16(99, kCount, bits.data());
  double sum = 0, squares = 0, fourth = 0, product = 0, last = 0;
  for (const uint16_t each : bits) {
    const double x = float_of_bf16(each);
    sum += x;
    squares += x * x;
    fourth += x * x * x * x;
    product += x * last;
    last = x;
  }
  // Five standard errors.
  EXPECT_NEAR(sum / kCount, 0, 5 / 512.0);
  EXPECT_NEAR(squares / kCount, 1, 5 * 1.5 / 512);
  EXPECT_NEAR(fourth / kCount, 3, 5 * 10 / 512.0);
  EXPECT_NEAR(product / kCount, 0, 5 / 512.0);
}

TEST_P(EachVectorOps, NormalsFillExactlyWhatIsAsked) {
  for (const int64_t count : {8, 72, 128, 136}) {
    std::vector<uint16_t> bits(count + 8, kPoison);
    GetParam()->normal_bf16(3, count, bits.data());
    for (int64_t i = 0; i < count; ++i) EXPECT_NE(bits[i], kPoison);
    for (int64_t i = count; i < count + 8; ++i) EXPECT_EQ(bits[i], kPoison);
  }
}

TEST_P(EachVectorOps, MakesTheSameNormals) {
  std::vector<uint16_t> mine(64), widest(64);
  GetParam()->normal_bf16(11, 64, mine.data());
  vector_ops().normal_bf16(11, 64, widest.data());
  EXPECT_EQ(mine, widest);
}

}  // namespace
}  // namespace evoke::attention
