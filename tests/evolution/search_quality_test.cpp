// Whether searching is worth it. bench/engine/search_quality prints numbers.
#include <gtest/gtest.h>

#include "tests/evolution/search_contest.h"

namespace evoke {
namespace {

using simulation::Landscape;

constexpr int kLandscapes = 101;
constexpr int64_t kJudged = 250;

class SearchQuality : public testing::TestWithParam<int> {};

TEST_P(SearchQuality, BeatsAsManyRandomDraws) {
  std::vector<double> gains;
  for (uint64_t seed = 1; seed <= kLandscapes; ++seed) {
    const Landscape landscape = simulation::contest_landscape(seed);
    auto config = simulation::small_config(seed, GetParam());
    config.budget.iterations = kJudged;
    gains.push_back(simulation::searched(landscape, config) -
                    simulation::drawn(landscape, kJudged));
  }
  const auto losses = std::count_if(gains.begin(), gains.end(),
                                    [](double gain) { return gain < 0; });
  EXPECT_GT(simulation::median(gains), 0.04);
  EXPECT_LE(losses, kLandscapes / 4);
}

INSTANTIATE_TEST_SUITE_P(Workers, SearchQuality, testing::Values(1, 8));

}  // namespace
}  // namespace evoke
