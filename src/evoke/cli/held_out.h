// Shapes that no search has seen, timed once at its end.
#pragma once

#include "evoke/base/json.h"
#include "evoke/cli/search_judge.h"
#include "evoke/core/candidate.h"
#include "evoke/core/run_config.h"
#include "evoke/evaluation/judge/confirmer.h"

namespace evoke::cli {

// {"workload": ..., "measurements": ...}, or {"workload": ..., "failed": why}.
Json race_held_out(const Problem& problem, const RunConfig& config,
                   const SearchDevice& device,
                   const judge::Confirmer::Reference& reference,
                   const Candidate& candidate);

}  // namespace evoke::cli
