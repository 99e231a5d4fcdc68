// The judge of one search, wired up: bench, track, reference, baselines,
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

// Members outlive those below them.
struct SearchJudge {
  Laboratory laboratory;
  judge::Novelty novelty;
  std::unique_ptr<judge::RaceTrack> track;
  judge::Confirmer::Reference reference;
  std::unique_ptr<judge::Opponent> reference_opponent;
  Baselines baselines;
  std::unique_ptr<judge::Cascade> cascade;
  std::unique_ptr<judge::Confirmer> confirmer;
  std::unique_ptr<judge::ParallelEvaluator> evaluator;

  // Log ratio per shape that a search's race can tell, and how it was found.
  Json conditions(const RunConfig& config) const;
};

// `reference`: of a run that is resumed; empty: the quickest founder in a
// short race. `announce` is told what is being done, in words. Throws
// StartupError.
std::unique_ptr<SearchJudge> open_search_judge(
    Laboratory laboratory, const RunConfig& config,
    const std::vector<SeedKernel>& founders,
    std::optional<judge::Confirmer::Reference> reference,
    const std::function<void(const std::string&)>& announce);

}  // namespace evoke::cli
