#include "evoke/attention/gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

namespace evoke::attention {
namespace {

using testing::HasSubstr;

constexpr int64_t kDim = 8;

// Two groups of two rows; every answer is 1, every noise 0.01.
Truth make_truth() {
  Truth truth;
  truth.dim = kDim;
  truth.groups = {{InputKind::normal, 3, 2}, {InputKind::needle, 4, 2}};
  truth.rows = {{0, 0, 0, 0}, {0, 1, 0, 0}, {0, 2, 0, 1}, {0, 3, 0, 1}};
  truth.values.assign(4 * kDim, 1.0f);
  truth.noise.assign(4, 0.01f);
  return truth;
}

std::vector<GroupErrors> errors_of(const Truth& truth,
                                   const std::vector<float>& output) {
  std::vector<GroupErrors> errors(truth.groups.size());
  add_errors(truth, 0, output, errors);
  return errors;
}

GroupErrors member(double worst_row, double mean, double element) {
  return {worst_row, 2 * mean, element, 0};
}

// A family of one whose errors are 4, 3 and 5 in both groups.
Envelope make_envelope(const Truth& truth) {
  const std::vector<std::vector<GroupErrors>> family = {
      {member(4, 3, 5), member(4, 3, 5)}};
  return Envelope(truth.groups, family);
}

TEST(AddErrors, MeasuresRowsInUnitsOfNoise) {
  const Truth truth = make_truth();
  std::vector<float> output = truth.values;
  output[2 * kDim + 3] += 0.5f;  // head 2
  const auto errors = errors_of(truth, output);
  EXPECT_EQ(errors[0].worst_row, 0);
  EXPECT_EQ(errors[0].sum, 0);
  EXPECT_NEAR(errors[1].worst_row, 50, 1e-3);
  EXPECT_NEAR(errors[1].sum, 50, 1e-3);
  EXPECT_NEAR(errors[1].worst_element, 50 * std::sqrt(8.0), 1e-2);
  EXPECT_EQ(errors[1].worst_row_index, 2);
}

TEST(AddErrors, AddsPartsInAnyPieces) {
  const Truth truth = make_truth();
  std::vector<float> output = truth.values;
  for (std::size_t i = 0; i < output.size(); ++i) {
    output[i] += 0.01f * static_cast<float>(i);
  }
  const auto whole = errors_of(truth, output);
  std::vector<GroupErrors> parts(2);
  add_errors(truth, 0, std::span(output).first(kDim), parts);
  add_errors(truth, 1, std::span(output).subspan(kDim), parts);
  for (std::size_t g = 0; g < 2; ++g) {
    EXPECT_EQ(parts[g].worst_row, whole[g].worst_row);
    EXPECT_EQ(parts[g].sum, whole[g].sum);
    EXPECT_EQ(parts[g].worst_row_index, whole[g].worst_row_index);
  }
}

TEST(AddErrors, AnythingNotFiniteIsInfinitelyWrong) {
  const Truth truth = make_truth();
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    std::vector<float> output = truth.values;
    output[5] = bad;
    const auto errors = errors_of(truth, output);
    EXPECT_TRUE(std::isinf(errors[0].worst_row));
    EXPECT_TRUE(std::isinf(errors[0].sum));
    EXPECT_EQ(errors[0].worst_row_index, 0);
    const CheckReport report = make_envelope(truth).judge(truth, errors);
    EXPECT_EQ(report.verdict, CheckVerdict::wrong);
    EXPECT_TRUE(std::isinf(report.row_ratio));
  }
}

TEST(AddErrors, ARowWithoutKeysMustBeExact) {
  Truth truth = make_truth();
  truth.noise[0] = 0;
  std::vector<float> output = truth.values;
  EXPECT_EQ(errors_of(truth, output)[0].worst_row, 0);
  output[0] += 1e-6f;
  EXPECT_TRUE(std::isinf(errors_of(truth, output)[0].worst_row));
}

TEST(Envelope, LimitsAreMultiplesOfTheFamilysWorst) {
  const Truth truth = make_truth();
  const std::vector<std::vector<GroupErrors>> family = {
      {member(4, 3, 5), member(1, 1, 1)}, {member(3, 4, 6), member(1, 1, 1)}};
  const Envelope envelope(truth.groups, family);
  EXPECT_DOUBLE_EQ(envelope.limits()[0].row, 8);
  EXPECT_DOUBLE_EQ(envelope.limits()[0].mean, 6);
  EXPECT_DOUBLE_EQ(envelope.limits()[0].element, 48);
  // The second group stands on its floors.
  const Thresholds thresholds;
  EXPECT_DOUBLE_EQ(envelope.limits()[1].row, thresholds.row_floor);
  EXPECT_DOUBLE_EQ(
      envelope.limits()[1].mean,
      thresholds.mean_floor + thresholds.mean_slack / std::sqrt(2.0));
  EXPECT_DOUBLE_EQ(envelope.limits()[1].element, 8);
}

TEST(Envelope, LeavesOneOutAndWidens) {
  const Truth truth = make_truth();
  const std::vector<std::vector<GroupErrors>> family = {
      {member(40, 30, 5), member(40, 30, 5)},
      {member(10, 10, 5), member(10, 10, 5)}};
  EXPECT_DOUBLE_EQ(Envelope(truth.groups, family, 0).limits()[0].row, 20);
  EXPECT_DOUBLE_EQ(Envelope(truth.groups, family, 1).limits()[0].row, 80);
  EXPECT_DOUBLE_EQ(Envelope(truth.groups, family, -1, 1.25).limits()[0].mean,
                   1.25 * 45);
}

TEST(Envelope, JudgesEachGroupByItsOwnLimits) {
  const Truth truth = make_truth();
  const Envelope envelope = make_envelope(truth);
  std::vector<GroupErrors> errors = {member(8, 4.5, 40), member(8, 4.5, 40)};
  CheckReport report = envelope.judge(truth, errors);
  EXPECT_EQ(report.verdict, CheckVerdict::right);
  EXPECT_TRUE(report.message.empty());
  EXPECT_LE(report.row_ratio, 1);

  errors[1].worst_row = 8.1;
  errors[1].worst_row_index = 3;
  report = envelope.judge(truth, errors);
  EXPECT_EQ(report.verdict, CheckVerdict::wrong);
  EXPECT_GT(report.row_ratio, 1);
  EXPECT_LE(report.mean_ratio, 1);
  EXPECT_THAT(report.message, HasSubstr("needle"));
  EXPECT_THAT(report.message, HasSubstr("query head 3"));

  errors[1] = member(5, 5, 40);
  EXPECT_GT(envelope.judge(truth, errors).mean_ratio, 1);
  errors[1] = member(5, 3, 41);
  EXPECT_GT(envelope.judge(truth, errors).element_ratio, 1);
  EXPECT_EQ(envelope.judge(truth, errors).verdict, CheckVerdict::wrong);
}

TEST(Envelope, NeverHasAnInfiniteLimit) {
  const Truth truth = make_truth();
  const double bad = std::numeric_limits<double>::infinity();
  const std::vector<std::vector<GroupErrors>> family = {
      {member(1, 1, 1), member(bad, bad, bad)}};
  EXPECT_THROW(Envelope(truth.groups, family), std::logic_error);
}

TEST(Envelope, WithoutLimitsNothingIsRight) {
  const Truth truth = make_truth();
  EXPECT_EQ(Envelope().judge(truth, errors_of(truth, truth.values)).verdict,
            CheckVerdict::wrong);
}

TEST(Envelope, NotANumberIsWrong) {
  const Truth truth = make_truth();
  const Envelope envelope = make_envelope(truth);
  std::vector<GroupErrors> errors = {member(1, 1, 1), member(NAN, NAN, NAN)};
  EXPECT_EQ(envelope.judge(truth, errors).verdict, CheckVerdict::wrong);
}

}  // namespace
}  // namespace evoke::attention
