#include "evoke/evolution/bandit.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace evoke {
namespace {

// Plays `pulls` pulls; arm i gains `gain[i]` with chance 0.3 and costs
// `cost[i]`. Returns how often each was chosen in the second half.
std::vector<int> play(Bandit& bandit, const std::vector<double>& gain,
                      const std::vector<double>& cost, int pulls, Rng& rng) {
  std::vector<int> chosen(gain.size(), 0);
  for (int i = 0; i < pulls; ++i) {
    const std::size_t arm = bandit.choose({}, rng);
    if (i >= pulls / 2) ++chosen[arm];
    bandit.update(bandit.arms()[arm], rng.chance(0.3) ? gain[arm] : 0,
                  cost[arm]);
  }
  return chosen;
}

TEST(Bandit, PrefersTheArmThatGains) {
  Bandit bandit({"a", "b", "c"});
  Rng rng(1);
  const auto chosen = play(bandit, {0.01, 0.2, 0.01}, {1, 1, 1}, 2000, rng);
  EXPECT_GT(chosen[1], 600);
  EXPECT_GT(chosen[0], 20) << "others are still tried";
  EXPECT_GT(chosen[2], 20);
}

TEST(Bandit, PrefersTheCheaperOfTwoThatGainTheSame) {
  Bandit bandit({"cheap", "dear"});
  Rng rng(2);
  const auto chosen = play(bandit, {0.1, 0.1}, {1, 10}, 2000, rng);
  EXPECT_GT(chosen[0], 2 * chosen[1]);
}

TEST(Bandit, FollowsWhenTheGainMovesElsewhere) {
  Bandit bandit({"early", "late"}, {.uniform = 0.1});
  Rng rng(3);
  play(bandit, {0.3, 0.0}, {1, 1}, 1000, rng);
  const auto chosen = play(bandit, {0.0, 0.3}, {1, 1}, 1000, rng);
  EXPECT_GT(chosen[1], 3 * chosen[0]);
}

TEST(Bandit, TriesEveryArmFirst) {
  Bandit bandit({"a", "b", "c", "d"}, {.uniform = 0});
  Rng rng(4);
  std::vector<int> chosen(4, 0);
  for (int i = 0; i < 4; ++i) {
    const std::size_t arm = bandit.choose({}, rng);
    ++chosen[arm];
    bandit.update(bandit.arms()[arm], 1.0 / (i + 1), 1);
  }
  EXPECT_EQ(chosen, (std::vector<int>{1, 1, 1, 1}));
}

TEST(Bandit, CountsWhatIsInFlight) {
  Bandit bandit({"a", "b", "c", "d"}, {.uniform = 0});
  Rng rng(5);
  std::vector<int> in_flight(4, 0);
  for (int i = 0; i < 8; ++i) ++in_flight[bandit.choose(in_flight, rng)];
  EXPECT_EQ(in_flight, (std::vector<int>{2, 2, 2, 2}));
}

TEST(Bandit, ChoosesAmongThoseThatAreOpen) {
  Bandit bandit({"a", "b", "c"}, {.uniform = 0.5});
  Rng rng(7);
  for (int i = 0; i < 50; ++i) bandit.update("a", 1, 1);
  for (int i = 0; i < 200; ++i) {
    EXPECT_NE(bandit.choose({}, rng, {false, true, true}), 0U);
  }
}

TEST(Bandit, WeightsCountWhereNothingIsKnown) {
  Bandit bandit({"a", "b"}, {.uniform = 1}, {3, 1});
  Rng rng(8);
  int first = 0;
  for (int i = 0; i < 2000; ++i) first += bandit.choose({}, rng) == 0;
  EXPECT_NEAR(first, 1500, 80);
}

TEST(Bandit, WithoutAnyGainAllArmsAreEqual) {
  Bandit bandit({"a", "b", "c"});
  Rng rng(6);
  const auto chosen = play(bandit, {0, 0, 0}, {1, 5, 20}, 3000, rng);
  for (const int count : chosen) EXPECT_NEAR(count, 500, 100);
}

TEST(Bandit, RemembersTheWindowOnlyAndIgnoresWhatIsNoNumber) {
  Bandit bandit({"a", "b"}, {.window = 3});
  bandit.update("unknown", 1, 1);
  for (int i = 0; i < 5; ++i) bandit.update("a", 1, 2);
  bandit.update("b", std::nan(""), -std::numeric_limits<double>::infinity());
  const auto state = bandit.state();
  EXPECT_EQ(state[0].pulls, 2);
  EXPECT_EQ(state[0].reward, 2);
  EXPECT_EQ(state[0].cost, 4);
  EXPECT_EQ(state[1].pulls, 1);
  EXPECT_EQ(state[1].reward, 0);
  EXPECT_EQ(state[1].cost, 0);
}

}  // namespace
}  // namespace evoke
