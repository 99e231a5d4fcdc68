// Every knob of the search, with its default.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "evoke/core/run_config.h"
#include "evoke/evolution/arms.h"
#include "evoke/evolution/bandit.h"
#include "evoke/evolution/confirmation.h"
#include "evoke/evolution/history.h"
#include "evoke/evolution/population.h"

namespace evoke {

struct EvolutionConfig {
  uint64_t rng_seed = 1;
  int workers = 1;  // evaluations in flight
  // Proposals asked for while every worker is busy. More than 0 hides a slow
  // proposer; parents are chosen that much earlier.
  int proposals_ahead = 0;
  std::vector<ProposerConfig> proposers = {{}};
  // Candidates that nobody asked for and that are being judged, at most. The
  // ids of those that never come are left out.
  int unasked = 0;
  int inspirations = 4;   // shown beside the parent, at most
  int attempts = 4;       // proposals from one parent that were seen before
  int slow_attempts = 2;  // of proposers that do not answer at once
  int retries = 2;        // of an evaluation that failed by itself
  // In a row, before the search ends: proposals that gave nothing new, and
  // failures of the machine.
  int barren_limit = 64;
  int infrastructure_limit = 12;
  BudgetConfig budget;
  SelectionConfig selection;
  PopulationConfig population;
  ConfirmationConfig confirmation;
  BanditConfig bandit;
  HistoryConfig history;
  // What an hour of judging is worth: turns the price of a proposal into
  // seconds.
  double usd_per_hour = 2;
};

// What a run's configuration decides, but for the proposers; the rest keeps its
// default. `workers` 0 (one per core) counts as 1: this room asks no machine.
EvolutionConfig evolution_config(const RunConfig& run);

}  // namespace evoke
