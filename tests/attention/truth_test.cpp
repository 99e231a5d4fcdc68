#include "evoke/attention/truth.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <tuple>

#include "evoke/attention/peer_gates.h"
#include "tests/attention/attention_fixtures.h"

namespace evoke::attention {
namespace {

TEST(ChooseRows, TakesAllWithinTheBudget) {
  const AttentionShape shape = small_shape(5, 9, true);
  EXPECT_EQ(choose_rows(shape, shape.key_rows(), 1).size(), 20U);
}

TEST(ChooseRows, SamplesEveryHeadAndBothEndsBeyondIt) {
  AttentionShape shape = small_shape(200, 200, true);
  shape.B = 2;
  const int64_t budget = 10'000;
  const auto rows = choose_rows(shape, budget, 1);
  EXPECT_LT(rows.size(), 1600U);
  std::set<std::tuple<int64_t, int64_t, int64_t>> seen;
  std::set<std::pair<int64_t, int64_t>> first, last;
  int64_t work = 0;
  for (const CheckedRow& row : rows) {
    EXPECT_TRUE(seen.insert({row.b, row.head, row.i}).second);
    work += shape.visible_keys(row.i);
    if (row.i == 0) first.insert({row.b, row.head});
    if (row.i == 199) last.insert({row.b, row.head});
  }
  EXPECT_EQ(first.size(), 8U);
  EXPECT_EQ(last.size(), 8U);
  EXPECT_LE(work, budget + 200);
  EXPECT_GT(work, budget / 2);
  EXPECT_TRUE(std::is_sorted(
      rows.begin(), rows.end(), [](const auto& x, const auto& y) {
        return std::tie(x.b, x.head, x.i) < std::tie(y.b, y.head, y.i);
      }));
}

TEST(ChooseRows, DependsOnTheSeed) {
  const AttentionShape shape = small_shape(200, 200, true);
  const auto key = [&](uint64_t seed) {
    std::vector<int64_t> rows;
    for (const CheckedRow& row : choose_rows(shape, 5000, seed)) {
      rows.push_back(row.i);
    }
    return rows;
  };
  EXPECT_EQ(key(1), key(1));
  EXPECT_NE(key(1), key(2));
}

TEST(Measure, GivesTheFloat64AnswersOfTheRowsAsked) {
  AttentionShape shape = small_shape(6, 40, true);
  shape.B = 2;
  const InputGenerator generator(shape, "blend", 4);
  const PeerTruth whole = make_peer_truth(float_inputs(generator));
  const auto rows = choose_rows(shape, 600, 4);
  ASSERT_LT(rows.size(), 48U);
  const Truth truth = measure(generator, rows, {}).truth;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const std::size_t from =
        ((rows[r].b * shape.Hq + rows[r].head) * shape.Lq + rows[r].i) *
        shape.D;
    for (int64_t d = 0; d < shape.D; ++d) {
      EXPECT_EQ(truth.values[r * shape.D + d], whole.exact[from + d]);
    }
  }
}

TEST(Measure, GroupsRowsByKindAndOctave) {
  const AttentionShape shape = small_shape(20, 20, true);
  const InputGenerator generator(shape, "blend", 4);
  const Truth truth =
      measure(generator, choose_rows(shape, 1 << 20, 4), {}).truth;
  std::vector<int64_t> counts(truth.groups.size());
  for (const CheckedRow& row : truth.rows) {
    const RowGroup& group = truth.groups[row.group];
    EXPECT_EQ(group.kind, generator.kind(0, row.head / 2));
    EXPECT_GE(shape.visible_keys(row.i), int64_t{1} << group.octave);
    EXPECT_LT(shape.visible_keys(row.i), int64_t{2} << group.octave);
    ++counts[row.group];
  }
  for (std::size_t g = 0; g < counts.size(); ++g) {
    EXPECT_EQ(counts[g], truth.groups[g].rows);
  }
}

TEST(Measure, NoiseIsTheCostOfRounding) {
  AttentionShape shape;
  shape.Lk = 400;
  const InputGenerator generator(shape, "normal", 4);
  const auto measured =
      measure(generator, choose_rows(shape, 1 << 20, 4), honest_family());
  ASSERT_EQ(measured.truth.groups.size(), 1U);
  // bf16 P and O: about one unit; both exact: half the squares.
  const auto mean = [&](std::size_t member) {
    return measured.errors[member][0].sum / 16;
  };
  EXPECT_NEAR(mean(1), 1.3, 0.4);  // flash, tile 64
  EXPECT_LT(mean(4), mean(1));     // fp32 P
}

TEST(Measure, ASingleKeyAllowsHalfAUnit) {
  const AttentionShape shape = small_shape(1, 1);
  const auto measured =
      measure({shape, "normal", 4}, choose_rows(shape, 9, 4), honest_family());
  double norm = 0;
  for (int64_t d = 0; d < shape.D; ++d) {
    norm += std::pow(measured.truth.values[d], 2);
  }
  EXPECT_NEAR(Thresholds{}.row_floor * measured.truth.noise[0],
              0x1p-9 * std::sqrt(norm), 1e-6);
  for (const auto& member : measured.errors) {
    EXPECT_EQ(member[0].worst_row, 0);
  }
}

}  // namespace
}  // namespace evoke::attention
