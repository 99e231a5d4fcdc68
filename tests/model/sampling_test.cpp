#include "evoke/model/sampling.h"

#include <gtest/gtest.h>
#include <mlx/ops.h>
#include <mlx/random.h>

#include <limits>
#include <set>
#include <vector>

#include "evoke/base/error.h"

namespace evoke::model {
namespace {

namespace mx = mlx::core;

// Probabilities 0.5, 0.25, 0.125, 0.0625 and 0.0625, in another order.
const std::vector<float> kLogits = {-2.7725887F, -0.6931472F, -2.0794415F,
                                    -1.3862944F, -2.7725887F};

mx::array logits() { return mx::array(kLogits.data(), {1, 5}, mx::float32); }

std::set<uint32_t> drawn(const SamplingOptions& options, int draws = 300) {
  Sampler sampler(options);
  std::set<uint32_t> tokens;
  for (int i = 0; i < draws; ++i) {
    tokens.insert(sampler.next(logits()).item<uint32_t>());
  }
  return tokens;
}

using Tokens = std::set<uint32_t>;

TEST(Sampler, TakesTheLikeliestAtTemperatureZero) {
  EXPECT_EQ(drawn({}), Tokens{1});
}

TEST(Sampler, DrawsInProportion) {
  Sampler sampler({.temperature = 1, .seed = 3});
  std::vector<int> counts(5);
  const int draws = 4000;
  for (int i = 0; i < draws; ++i) {
    ++counts[sampler.next(logits()).item<uint32_t>()];
  }
  // Five standard deviations of the widest count are 158.
  EXPECT_NEAR(counts[1], draws / 2, 160);
  EXPECT_NEAR(counts[3], draws / 4, 160);
  EXPECT_NEAR(counts[2], draws / 8, 160);
  EXPECT_NEAR(counts[0], draws / 16, 160);
  EXPECT_NEAR(counts[4], draws / 16, 160);
}

TEST(Sampler, NarrowsTheChoice) {
  EXPECT_EQ(drawn({.temperature = 1}), (Tokens{0, 1, 2, 3, 4}));
  EXPECT_EQ(drawn({.temperature = 2, .top_p = 0.5}), Tokens{1});
  EXPECT_EQ(drawn({.temperature = 2, .top_p = 0.51}), (Tokens{1, 3}));
  EXPECT_EQ(drawn({.temperature = 2, .top_p = 0.8}), (Tokens{1, 2, 3}));
  EXPECT_EQ(drawn({.temperature = 2, .top_k = 1}), Tokens{1});
  EXPECT_EQ(drawn({.temperature = 2, .top_k = 3}), (Tokens{1, 2, 3}));
  EXPECT_EQ(drawn({.temperature = 2, .top_k = 99}), (Tokens{0, 1, 2, 3, 4}));
  EXPECT_EQ(drawn({.temperature = 2, .min_p = 0.3}), (Tokens{1, 3}));
  EXPECT_EQ(drawn({.temperature = 2, .min_p = 1}), Tokens{1});
}

TEST(Sampler, RepeatsItselfWithTheSameSeedOnly) {
  const auto draws = [](uint64_t seed) {
    Sampler sampler({.temperature = 1, .seed = seed});
    std::vector<uint32_t> tokens;
    for (int i = 0; i < 40; ++i) {
      tokens.push_back(sampler.next(logits()).item<uint32_t>());
    }
    return tokens;
  };
  EXPECT_EQ(draws(5), draws(5));
  EXPECT_NE(draws(5), draws(6));
}

TEST(Sampler, PenalizesWhatCameBefore) {
  Sampler sampler({.repetition_penalty = 4, .repetition_context = 2});
  sampler.see(mx::array({2, 1}, {1, 2}));
  // -0.69 becomes -2.77, -2.08 becomes -8.3; then 3 is penalized as well, and
  // 1 comes back once it is out of the last two.
  EXPECT_EQ(sampler.next(logits()).item<uint32_t>(), 3U);
  EXPECT_EQ(sampler.next(logits()).item<uint32_t>(), 2U);
  EXPECT_EQ(sampler.next(logits()).item<uint32_t>(), 1U);
}

TEST(Sampler, DividesPositiveLogitsByThePenalty) {
  Sampler sampler({.repetition_penalty = 2});
  sampler.see(mx::array({0}, {1, 1}));
  EXPECT_EQ(sampler.next(mx::array({3.0F, 2.0F}, {1, 2})).item<uint32_t>(), 1U);
  EXPECT_EQ(sampler.next(mx::array({9.0F, 2.0F}, {1, 2})).item<uint32_t>(), 0U);
}

TEST(Sampler, TreatsTextsOfABatchApart) {
  Sampler sampler({.repetition_penalty = 100});
  sampler.see(mx::array({1, 3}, {2, 1}));
  const mx::array both = mx::concatenate({logits(), logits()}, 0);
  EXPECT_TRUE(
      mx::array_equal(sampler.next(both), mx::array({3U, 1U})).item<bool>());
}

TEST(Sampler, RefusesValuesOutOfRange) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const SamplingOptions& options :
       std::vector<SamplingOptions>{{.temperature = -1},
                                    {.temperature = nan},
                                    {.top_p = 0},
                                    {.top_p = 1.1},
                                    {.top_p = nan},
                                    {.top_k = -1},
                                    {.min_p = -0.1},
                                    {.min_p = 1.1},
                                    {.repetition_penalty = 0},
                                    {.repetition_penalty = nan},
                                    {.repetition_context = 0}}) {
    EXPECT_THROW(Sampler{options}, UsageError);
  }
}

}  // namespace
}  // namespace evoke::model
