#include "evoke/base/rng.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

namespace evoke {
namespace {

std::string state_of_words(const std::array<int, 4>& words) {
  std::string text;
  for (const int word : words) {
    text += std::string(15, '0') + std::to_string(word);
  }
  return text;
}

// The first outputs of the authors' xoshiro256** from the state 1, 2, 3, 4.
TEST(Rng, MatchesTheAuthorsGenerator) {
  auto rng = Rng::from_state(state_of_words({1, 2, 3, 4}));
  ASSERT_TRUE(rng);
  EXPECT_EQ(rng->next(), 11520U);
  EXPECT_EQ(rng->next(), 0U);
  EXPECT_EQ(rng->next(), 1509978240U);
  EXPECT_EQ(rng->next(), 1215971899390074240U);
}

// The first word of the state is splitmix64's first output for seed 0.
TEST(Rng, SeedsThroughSplitmix64) {
  EXPECT_EQ(Rng(0).state().substr(0, 16), "e220a8397b1dcdaf");
}

TEST(Rng, ContinuesFromItsStoredState) {
  Rng rng(42);
  for (int i = 0; i < 100; ++i) rng.next();
  auto restored = Rng::from_state(rng.state());
  ASSERT_TRUE(restored);
  EXPECT_EQ(*restored, rng);
  EXPECT_EQ(restored->next(), rng.next());
  EXPECT_FALSE(Rng::from_state("12"));
  EXPECT_FALSE(Rng::from_state(std::string(64, 'x')));
  EXPECT_FALSE(Rng::from_state(std::string(63, '0') + " "));
}

TEST(Rng, ForksByNameAndLeavesTheParentAlone) {
  const Rng rng(1);
  Rng a = rng.fork("proposer");
  Rng b = rng.fork("proposer");
  Rng c = rng.fork("selector");
  const uint64_t first = a.next();
  EXPECT_EQ(first, b.next());
  EXPECT_NE(first, c.next());
  EXPECT_EQ(rng, Rng(1));
}

TEST(Rng, BelowIsUniformAndInRange) {
  Rng rng(3);
  std::array<int, 6> counts{};
  for (int i = 0; i < 60'000; ++i) ++counts[rng.below(6)];
  for (const int count : counts) EXPECT_NEAR(count, 10'000, 500);
  EXPECT_EQ(rng.below(1), 0U);
  for (int i = 0; i < 100; ++i) EXPECT_LT(rng.below(UINT64_MAX), UINT64_MAX);
}

TEST(Rng, UniformAndNormalHaveTheirMoments) {
  Rng rng(4);
  constexpr int kDraws = 100'000;
  double sum = 0;
  double normal_sum = 0;
  double normal_squares = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double value = rng.uniform();
    ASSERT_GE(value, 0.0);
    ASSERT_LT(value, 1.0);
    sum += value;
    const double normal = rng.normal();
    ASSERT_TRUE(std::isfinite(normal));
    normal_sum += normal;
    normal_squares += normal * normal;
  }
  EXPECT_NEAR(sum / kDraws, 0.5, 0.01);
  EXPECT_NEAR(normal_sum / kDraws, 0.0, 0.02);
  EXPECT_NEAR(normal_squares / kDraws, 1.0, 0.03);
}

TEST(Rng, ShuffleIsAPermutation) {
  Rng rng(5);
  std::vector<int> items(50);
  std::iota(items.begin(), items.end(), 0);
  std::vector<int> shuffled = items;
  rng.shuffle(shuffled);
  EXPECT_NE(shuffled, items);
  EXPECT_TRUE(
      std::is_permutation(shuffled.begin(), shuffled.end(), items.begin()));
}

}  // namespace
}  // namespace evoke
