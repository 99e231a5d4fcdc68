// The search against random draws, on landscapes with separable terms and
// interactions of neighbours. Log ratios: 0.05 is 5 % faster. Deterministic.
#pragma once

#include <algorithm>
#include <limits>
#include <vector>

#include "tests/evolution/simulation.h"

namespace evoke::simulation {

inline constexpr int kContestGenes = 8;

inline Landscape contest_landscape(uint64_t seed) {
  Landscape landscape;
  landscape.seed = seed;
  landscape.num_choices = 6;
  return landscape;
}

inline Genes random_genes(const Landscape& landscape, Rng& rng) {
  Genes genes(kContestGenes);
  for (int& gene : genes) {
    gene = static_cast<int>(
        rng.below(static_cast<uint64_t>(landscape.num_choices)));
  }
  return genes;
}

// The true log fitness of the genome that the run calls best.
inline double searched(const Landscape& landscape,
                       const EvolutionConfig& config) {
  Rng rng(landscape.seed);
  std::vector<Founder> founders;
  for (int i = 0; i < 3; ++i) {
    founders.push_back({text_of(random_genes(landscape, rng)), ""});
  }
  SimulatedRun run(config, founders, landscape);
  run.run();
  const Exemplar* best = run.evolution.best();
  return best ? landscape.log_fitness(genes_of(best->candidate.text))
              : -std::numeric_limits<double>::infinity();
}

// The truly best of as many random genomes that work: told without noise,
// which is more than a search is told.
inline double drawn(const Landscape& landscape, int64_t count) {
  Rng rng(landscape.seed);
  double best = -std::numeric_limits<double>::infinity();
  for (int64_t i = 0; i < count; ++i) {
    EvaluationRequest request;
    request.candidate.generation = 1;
    const Genes genes = random_genes(landscape, rng);
    request.candidate.text = text_of(genes);
    if (!judge(landscape, request, i).ranked()) continue;
    best = std::max(best, landscape.log_fitness(genes));
  }
  return best;
}

inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace evoke::simulation
