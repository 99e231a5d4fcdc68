#include "evoke/evolution/evolution_config.h"

#include <algorithm>

namespace evoke {

EvolutionConfig evolution_config(const RunConfig& run) {
  EvolutionConfig config;
  config.rng_seed = run.rng_seed;
  config.workers = std::max(run.workers, 1);
  config.budget = run.budget;
  config.selection = run.selection;
  config.usd_per_hour = run.proposers.usd_per_hour;
  config.population.islands = run.islands;
  config.population.features = run.features;
  return config;
}

}  // namespace evoke
