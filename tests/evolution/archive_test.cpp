#include "evoke/evolution/archive.h"

#include <gtest/gtest.h>

#include "evoke/base/rng.h"

namespace evoke {
namespace {

constexpr double kFloor = 0.01;

Member member(CandidateId id, double log_value, double half_width = 0) {
  Exemplar exemplar;
  exemplar.candidate.id = id;
  return {std::make_shared<const Exemplar>(exemplar),
          {log_value, half_width, half_width, 0, 1}};
}

TEST(Archive, TheFirstOneOpensACell) {
  Archive archive(10, kFloor);
  EXPECT_TRUE(archive.empty());
  EXPECT_EQ(archive.offer(member(1, -5), 3, true).standing, Standing::opened);
  EXPECT_TRUE(archive.holds(3, 1));
  EXPECT_EQ(archive.find(4), nullptr);
}

TEST(Archive, OnlyWhatIsGreaterBeyondNoiseReplaces) {
  Archive archive(10, kFloor);
  archive.offer(member(1, 0, 0.03), 0, true);
  EXPECT_EQ(archive.offer(member(2, 0.02, 0.03), 0, true).standing,
            Standing::ahead_within_noise);
  EXPECT_EQ(archive.offer(member(3, -0.02, 0.03), 0, true).standing,
            Standing::behind_within_noise);
  EXPECT_EQ(archive.offer(member(4, -0.5, 0.03), 0, true).standing,
            Standing::behind);
  EXPECT_EQ(archive.offer(member(1, 0, 0.03), 0, true).standing,
            Standing::present);
  EXPECT_TRUE(archive.holds(0, 1));
  EXPECT_EQ(archive.find(0)->challenges, 2);
  const auto result = archive.offer(member(5, 0.025, 0.03), 0, true);
  EXPECT_EQ(result.standing, Standing::replaced);
  EXPECT_EQ(result.incumbent, 1);
  EXPECT_EQ(archive.find(0)->challenges, 0);
}

TEST(Archive, TheBestChallengerTakesTheCellOnceMeasuringSaysSo) {
  Archive archive(10, kFloor);
  archive.offer(member(1, 0, 0.05), 0, true);
  archive.offer(member(2, 0.015, 0.01), 0, true);
  archive.offer(member(3, 0.025, 0.01), 0, true);
  archive.offer(member(4, 0.01, 0.01), 0, true);
  EXPECT_EQ(archive.find(0)->challenger->id(), 3);
  archive.rescore(0, member(1, -0.01, 0.02));
  const CellChange change = archive.settle(0);
  EXPECT_EQ(change.entered, 3);
  EXPECT_EQ(change.left, 1);
  EXPECT_TRUE(archive.holds(0, 3));
  EXPECT_FALSE(archive.find(0)->challenger.has_value());
}

TEST(Archive, AChallengerThatIsStillWithinNoiseIsForgotten) {
  Archive archive(10, kFloor);
  archive.offer(member(1, 0, 0.05), 0, true);
  archive.offer(member(2, 0.02, 0.01), 0, true);
  archive.rescore(0, member(1, 0.015, 0.02));
  EXPECT_EQ(archive.settle(0).entered, 0);
  EXPECT_TRUE(archive.holds(0, 1));
  EXPECT_FALSE(archive.find(0)->challenger.has_value());
}

TEST(Archive, WhoeverLostToALuckyScoreComesBack) {
  Archive archive(10, kFloor);
  archive.offer(member(1, 0.05), 0, true);
  archive.offer(member(2, 0.10), 0, true);
  archive.rescore(0, member(2, 0.02));  // it was luck
  const CellChange change = archive.settle(0);
  EXPECT_EQ(change.entered, 1);
  EXPECT_EQ(change.left, 2);
}

TEST(Archive, ADisqualifiedEliteIsFollowedByTheBestOfTheOthers) {
  Archive archive(10, kFloor);
  for (int i = 1; i <= 4; ++i) archive.offer(member(i, 0.1 * i), 7, true);
  EXPECT_EQ(archive.find(7)->displaced.size(), Archive::kMaxDisplaced);
  EXPECT_EQ(archive.disqualify(7, 2).left, 0) << "a former one: no change";
  EXPECT_EQ(archive.disqualify(7, 4).entered, 3);
  EXPECT_EQ(archive.disqualify(7, 3).entered, 0);
  EXPECT_EQ(archive.find(7), nullptr);
  EXPECT_TRUE(archive.empty());
}

// Against a plain model: one best value per cell, exact scores.
TEST(Archive, AgreesWithAPlainModelUnderRandomOperations) {
  constexpr CellIndex kCells = 50;
  Archive archive(kCells, kFloor);
  std::map<CellIndex, std::map<CandidateId, double>> offered;
  Rng rng(11);
  for (CandidateId id = 1; id <= 20000; ++id) {
    const auto cell = static_cast<CellIndex>(rng.below(kCells));
    const double value = rng.normal();
    const Elite* before = archive.find(cell);
    const double held = before ? before->member.score.log_value : -1e9;
    const auto result = archive.offer(member(id, value), cell, true);
    ASSERT_EQ(result.took_cell(), value - held > kFloor);
    if (rng.chance(0.05)) {
      const Elite& victim = archive.at_slot(rng.below(archive.size()));
      const CellIndex place = victim.cell;
      const CandidateId loser = victim.id();
      const CellChange change = archive.disqualify(place, loser);
      ASSERT_EQ(change.left, loser);
      ASSERT_EQ(archive.find(place) == nullptr, change.entered == 0);
    }
    if (id % 500 != 0) continue;
    std::vector<double> values;
    for (std::size_t slot = 0; slot < archive.size(); ++slot) {
      const Elite& elite = archive.at_slot(slot);
      ASSERT_EQ(archive.find(elite.cell), &elite);
      values.push_back(elite.member.score.log_value);
    }
    std::sort(values.rbegin(), values.rend());
    for (std::size_t rank = 0; rank < values.size(); ++rank) {
      ASSERT_EQ(archive.at_rank(rank).member.score.log_value, values[rank]);
    }
  }
  archive.clear();
  EXPECT_TRUE(archive.empty());
  for (CellIndex cell = 0; cell < kCells; ++cell) {
    EXPECT_EQ(archive.find(cell), nullptr);
  }
}

TEST(Archive, CuriosityFollowsTheChildrensLuckWithinBounds) {
  Archive archive(2, kFloor);
  archive.offer(member(1, 0), 0, true);
  archive.offer(member(2, 0), 1, true);
  for (int i = 0; i < 100; ++i) {
    archive.reward_curiosity(0, true);
    archive.reward_curiosity(1, false);
  }
  EXPECT_EQ(archive.find(0)->curiosity, Archive::kMaxCuriosity);
  EXPECT_EQ(archive.find(1)->curiosity, Archive::kMinCuriosity);
  EXPECT_EQ(archive.by_curiosity(0.98).cell, 0);
  EXPECT_EQ(archive.by_curiosity(0.999).cell, 1);
}

}  // namespace
}  // namespace evoke
