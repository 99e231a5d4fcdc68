#include "evoke/evolution/parent_selector.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "evoke/base/error.h"

namespace evoke {
namespace {

// Elite i (from 1) has rank i - 1 and lies in cell i.
Archive archive_of(int count, double distance = 0.01) {
  Archive archive(1000, 0);
  for (int i = 1; i <= count; ++i) {
    Exemplar exemplar;
    exemplar.candidate.id = i;
    archive.offer({std::make_shared<const Exemplar>(exemplar),
                   {-distance * i, 0, 0, 0, 1}},
                  i, false);
  }
  return archive;
}

std::vector<int> draw(const Archive& archive, const SelectionConfig& config,
                      int draws) {
  const ParentSelector selector(config);
  std::vector<int> drawn(archive.size() + 1, 0);
  Rng rng(5);
  for (int i = 0; i < draws; ++i) {
    ++drawn[static_cast<std::size_t>(
        selector.select(archive, rng).elite->id())];
  }
  return drawn;
}

TEST(ParentSelector, ExploitingFallsGeometricallyWithRank) {
  const auto drawn = draw(archive_of(40, 0.001), {1, 0, 0}, 100000);
  for (int rank = 0; rank < 10; ++rank) {
    const double expected = 100000 * (1 - ParentSelector::kDecay) *
                            std::pow(ParentSelector::kDecay, rank);
    EXPECT_NEAR(drawn[static_cast<std::size_t>(rank + 1)], expected,
                5 * std::sqrt(expected) + 20);
  }
}

TEST(ParentSelector, OnlyWhatIsCloseBehindTheBestIsExploited) {
  const auto drawn = draw(archive_of(6, 0.02), {1, 0, 0}, 10000);
  // 1, 1/2 and 1/4 of the draws, and those that went further begin again.
  EXPECT_NEAR(drawn[1], 5714, 250);
  EXPECT_NEAR(drawn[2], 2857, 250);
  EXPECT_NEAR(drawn[3], 1429, 250);
  for (const std::size_t far : {4u, 5u, 6u}) EXPECT_EQ(drawn[far], 0);
}

TEST(ParentSelector, ExploringIsUniformOverCells) {
  const auto drawn = draw(archive_of(20), {0, 1, 0}, 100000);
  for (std::size_t id = 1; id <= 20; ++id) EXPECT_NEAR(drawn[id], 5000, 400);
}

TEST(ParentSelector, WhatIsFarBehindIsNotExplored) {
  // Elites 1 to 3 are within a factor of three of the best, 4 and 5 are not.
  for (const SelectionConfig& config :
       {SelectionConfig{0, 1, 0}, SelectionConfig{0, 0, 1}}) {
    const auto drawn = draw(archive_of(5, 0.5), config, 10000);
    EXPECT_NEAR(drawn[1], 6000, 250) << "and instead of those out of reach";
    for (const std::size_t near : {2u, 3u}) EXPECT_NEAR(drawn[near], 2000, 200);
    for (const std::size_t far : {4u, 5u}) EXPECT_EQ(drawn[far], 0);
  }
}

TEST(ParentSelector, CuriosityGoesWhereChildrenImproved) {
  Archive archive = archive_of(10);
  for (int i = 0; i < 9; ++i) archive.reward_curiosity(7, true);
  const auto drawn = draw(archive, {0, 0, 1}, 19000);
  EXPECT_NEAR(drawn[7], 10000, 400);
  EXPECT_NEAR(drawn[1], 1000, 160);
}

TEST(ParentSelector, SharesAreNormalised) {
  const ParentSelector selector({3, 1, 1});
  const Archive archive = archive_of(5);
  std::array<int, 3> modes{};
  Rng rng(9);
  for (int i = 0; i < 50000; ++i) {
    ++modes[static_cast<std::size_t>(selector.select(archive, rng).mode)];
  }
  EXPECT_NEAR(modes[0], 30000, 600);
  EXPECT_NEAR(modes[1], 10000, 500);
  EXPECT_NEAR(modes[2], 10000, 500);
  EXPECT_THROW(ParentSelector({0, 0, 0}), UsageError);
  EXPECT_THROW(ParentSelector({1, -1, 1}), UsageError);
  EXPECT_THROW(ParentSelector({std::nan(""), 1, 1}), UsageError);
}

TEST(ParentSelector, ASingleEliteIsAlwaysChosen) {
  const auto drawn = draw(archive_of(1), {}, 100);
  EXPECT_EQ(drawn[1], 100);
}

TEST(ParentSelector, InspirationsAreDistinctBestFirstAndNotTheParent) {
  const ParentSelector selector(SelectionConfig{});
  Rng rng(2);
  for (int size = 1; size <= 12; ++size) {
    const Archive archive = archive_of(size);
    for (int parent = 1; parent <= size; ++parent) {
      const auto shown = selector.inspirations(archive, parent, 4, rng);
      EXPECT_LE(shown.size(), std::min<std::size_t>(4, archive.size() - 1));
      if (size >= 3) {
        EXPECT_GE(shown.size(), 2u);
        EXPECT_EQ(shown[0]->id(), parent == 1 ? 2 : 1);
      }
      std::set<CandidateId> ids{parent};
      CandidateId last = 0;
      for (const Elite* elite : shown) {
        EXPECT_TRUE(ids.insert(elite->id()).second);
        EXPECT_GT(elite->id(), last);  // ranks are ids here
        last = elite->id();
      }
    }
  }
  EXPECT_TRUE(selector.inspirations(archive_of(5), 1, 0, rng).empty());
}

}  // namespace
}  // namespace evoke
