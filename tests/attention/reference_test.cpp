#include "evoke/attention/reference.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "tests/attention/attention_fixtures.h"

namespace evoke::attention {
namespace {

// Textbook attention in long double, one element at a time.
std::vector<long double> naive_row(const float* query, const float* keys,
                                   const float* values, int64_t visible,
                                   int64_t dim, long double scale) {
  std::vector<long double> scores(visible), output(dim, 0);
  long double largest = -INFINITY, sum = 0;
  for (int64_t j = 0; j < visible; ++j) {
    for (int64_t d = 0; d < dim; ++d) {
      scores[j] += static_cast<long double>(query[d]) * keys[j * dim + d];
    }
    scores[j] *= scale;
    largest = std::max(largest, scores[j]);
  }
  for (int64_t j = 0; j < visible; ++j) {
    scores[j] = std::exp(scores[j] - largest);
    sum += scores[j];
  }
  for (int64_t d = 0; d < dim; ++d) {
    for (int64_t j = 0; j < visible; ++j) {
      output[d] += scores[j] * values[j * dim + d];
    }
    if (visible > 0) output[d] /= sum;
  }
  return output;
}

class Reference : public testing::TestWithParam<std::string> {};

TEST_P(Reference, AgreesWithLongDouble) {
  std::vector<AttentionShape> shapes = {
      small_shape(1, 1), small_shape(1, 65), small_shape(11, 40, true),
      small_shape(5, 3, true), small_shape(3, 100)};
  shapes[1].D = 80;
  for (const AttentionShape& shape : shapes) {
    const FloatInputs inputs = float_inputs({shape, GetParam(), 9});
    for (int64_t h = 0; h < shape.Hq; ++h) {
      std::vector<QueryRow> rows;
      for (int64_t i = 0; i < shape.Lq; ++i) {
        rows.push_back({inputs.query_row(0, h, i), shape.visible_keys(i)});
      }
      double largest = 1;
      for (int64_t n = 0; n < shape.Lk * shape.D; ++n) {
        largest = std::max(
            largest, std::abs(static_cast<double>(inputs.values_of(0, h)[n])));
      }
      std::vector<double> output(rows.size() * shape.D);
      attend_f64(rows, inputs.keys_of(0, h), inputs.values_of(0, h), shape.D,
                 shape.scale(), output.data());
      for (std::size_t r = 0; r < rows.size(); ++r) {
        const auto expected = naive_row(rows[r].query, inputs.keys_of(0, h),
                                        inputs.values_of(0, h), rows[r].visible,
                                        shape.D, shape.scale());
        for (int64_t d = 0; d < shape.D; ++d) {
          EXPECT_NEAR(output[r * shape.D + d], static_cast<double>(expected[d]),
                      1e-11 * largest)
              << shape.name() << " row " << r;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Inputs, Reference, testing::ValuesIn(input_names()));

TEST(ReferenceRow, OneKeyGivesItsValueExactly) {
  const AttentionShape shape = small_shape(1, 1);
  const FloatInputs inputs = float_inputs({shape, "normal", 1});
  const QueryRow row{inputs.query_row(0, 0, 0), 1};
  std::vector<double> output(shape.D);
  attend_f64({&row, 1}, inputs.keys_of(0, 0), inputs.values_of(0, 0), shape.D,
             shape.scale(), output.data());
  for (int64_t d = 0; d < shape.D; ++d) {
    EXPECT_EQ(output[d], inputs.values_of(0, 0)[d]);
  }
}

TEST(ReferenceRow, NoKeyGivesZeros) {
  const AttentionShape shape = small_shape(1, 1);
  const FloatInputs inputs = float_inputs({shape, "normal", 1});
  const QueryRow row{inputs.query_row(0, 0, 0), 0};
  std::vector<double> output(shape.D, 7.0);
  double spread = 7;
  attend_f64({&row, 1}, inputs.keys_of(0, 0), inputs.values_of(0, 0), shape.D,
             shape.scale(), output.data(), &spread);
  for (const double x : output) EXPECT_EQ(x, 0.0);
  EXPECT_EQ(spread, 0.0);
}

TEST(ReferenceRow, SpreadIsTheRootOfTheSumOfSquares) {
  const AttentionShape shape = small_shape(1, 30);
  FloatInputs inputs = float_inputs({shape, "normal", 1});
  // Equal weights: |v|^2 averages, divided by the number of keys.
  std::fill(inputs.query.begin(), inputs.query.end(), 0.0f);
  const QueryRow row{inputs.query_row(0, 0, 0), 30};
  std::vector<double> output(shape.D);
  double spread = 0;
  attend_f64({&row, 1}, inputs.keys_of(0, 0), inputs.values_of(0, 0), shape.D,
             shape.scale(), output.data(), &spread);
  double squares = 0;
  for (int64_t k = 0; k < 30 * shape.D; ++k) {
    squares += std::pow(inputs.values_of(0, 0)[k], 2);
  }
  EXPECT_NEAR(spread, std::sqrt(squares) / 30, 1e-12);
}

}  // namespace
}  // namespace evoke::attention
