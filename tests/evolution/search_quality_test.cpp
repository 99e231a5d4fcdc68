// Whether searching is worth it: against drawing as many genomes at random,
// on landscapes with separable terms and interactions. Deterministic.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "tests/evolution/simulation.h"

namespace evoke {
namespace {

using simulation::Genes;
using simulation::Landscape;
using simulation::SimulatedRun;

constexpr int kLandscapes = 21;
constexpr int64_t kJudged = 250;

Landscape landscape_of(uint64_t seed) {
  Landscape landscape;
  landscape.seed = seed;
  landscape.num_choices = 6;
  return landscape;
}

Genes random_genes(const Landscape& landscape, Rng& rng) {
  Genes genes(8);
  for (int& gene : genes) {
    gene = static_cast<int>(
        rng.below(static_cast<uint64_t>(landscape.num_choices)));
  }
  return genes;
}

// The true log fitness of the kernel that the run calls best.
double searched(const Landscape& landscape, uint64_t seed, int workers) {
  auto config = simulation::small_config(seed, workers);
  config.budget.iterations = kJudged;
  Rng rng(seed);
  std::vector<Founder> founders;
  for (int i = 0; i < 3; ++i) {
    founders.push_back({simulation::text_of(random_genes(landscape, rng)), ""});
  }
  SimulatedRun run(config, founders, landscape);
  run.run();
  const Exemplar* best = run.evolution.best();
  return best
             ? landscape.log_fitness(simulation::genes_of(best->candidate.text))
             : -std::numeric_limits<double>::infinity();
}

// The truly best of as many random genomes that work: told without noise,
// which is more than a search is told.
double drawn(const Landscape& landscape, uint64_t seed) {
  Rng rng(seed);
  double best = -std::numeric_limits<double>::infinity();
  for (int64_t i = 0; i < kJudged; ++i) {
    EvaluationRequest request;
    request.candidate.generation = 1;
    const Genes genes = random_genes(landscape, rng);
    request.candidate.text = simulation::text_of(genes);
    if (!simulation::judge(landscape, request, i).ranked()) continue;
    best = std::max(best, landscape.log_fitness(genes));
  }
  return best;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

class SearchQuality : public testing::TestWithParam<int> {};

TEST_P(SearchQuality, BeatsAsManyRandomDraws) {
  std::vector<double> gains;
  for (uint64_t seed = 1; seed <= kLandscapes; ++seed) {
    const Landscape landscape = landscape_of(seed);
    gains.push_back(searched(landscape, seed, GetParam()) -
                    drawn(landscape, seed));
  }
  const auto losses = std::count_if(gains.begin(), gains.end(),
                                    [](double gain) { return gain < 0; });
  std::string all;
  for (const double gain : gains) all += std::to_string(gain) + " ";
  // log ratios: 0.05 is 5 % faster than random search's best.
  EXPECT_GT(median(gains), 0.05) << all;
  EXPECT_LE(losses, 3) << all;
}

INSTANTIATE_TEST_SUITE_P(Workers, SearchQuality, testing::Values(1, 8));

}  // namespace
}  // namespace evoke
