// The judge of one search, wired up: benches, tracks, reference, baselines,
// evaluator.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "evoke/cli/founders.h"
#include "evoke/cli/laboratory.h"
#include "evoke/core/run_config.h"
#include "evoke/evaluation/judge/cascade.h"
#include "evoke/evaluation/judge/confirmer.h"
#include "evoke/evaluation/judge/novelty.h"
#include "evoke/evaluation/judge/opponent.h"
#include "evoke/evaluation/judge/parallel_evaluator.h"
#include "evoke/evaluation/judge/race_track.h"

namespace evoke::cli {

// What a search has on each of its devices. Members outlive those below them.
struct SearchDevice {
  judge::Workbench& bench;
  std::unique_ptr<judge::RaceTrack> track;
  std::unique_ptr<judge::Opponent> reference_opponent;
  Baselines baselines;
  std::unique_ptr<judge::Cascade> cascade;
  std::unique_ptr<judge::Confirmer> confirmer;
};

// Members outlive those below them.
struct SearchJudge {
  Laboratory laboratory;
  judge::Novelty novelty;
  judge::Confirmer::Reference reference;
  std::vector<std::unique_ptr<SearchDevice>> devices;  // as its benches
  std::unique_ptr<judge::ParallelEvaluator> evaluator;

  const SearchDevice& first() const { return *devices.front(); }
  // One that can still be raced on.
  const SearchDevice& in_service() const {
    return *devices[evaluator->first_in_service()];
  }
  // Log ratio per shape that a search's race can tell, and how it was found;
  // of several devices each, and what all of them can tell.
  Json conditions(const RunConfig& config) const;
};

// `reference`: of a run that is resumed; empty: the quickest founder in a
// short race on the first device. `announce` is told what is being done, in
// words; `notice` what happens later, from any thread. Throws StartupError.
std::unique_ptr<SearchJudge> open_search_judge(
    Laboratory laboratory, const RunConfig& config,
    const std::vector<SeedKernel>& founders,
    std::optional<judge::Confirmer::Reference> reference,
    const std::function<void(const std::string&)>& announce,
    std::function<void(const std::string&)> notice);

}  // namespace evoke::cli
