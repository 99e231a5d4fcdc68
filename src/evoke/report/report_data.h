// What a run amounts to, read from its store: the model behind the HTML, the
// Markdown and the JSON report.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/base/json.h"
#include "evoke/core/outcome.h"
#include "evoke/core/run_config.h"
#include "evoke/store/run_store.h"

namespace evoke {

// The best changed: a confirmation that succeeded.
struct BestChange {
  double elapsed_s = 0;
  CandidateId candidate = 0;
  Fitness fitness;
};

// A measured candidate, for the cloud behind the best's line.
struct ScoredPoint {
  double elapsed_s = 0;
  double fitness = 0;
};

struct CellElite {
  std::vector<int> bins;
  CandidateId candidate = 0;
  double fitness = 0;
};

struct Ancestor {
  CandidateId id = 0;
  std::string operation;
  std::string summary;
  std::optional<Fitness> fitness;  // its latest
};

struct GeneChange {
  std::string name;
  int64_t founder = 0;
  int64_t best = 0;
};

// What one of several devices did.
struct DeviceShare {
  int64_t judged = 0;  // steps
  int64_t confirmed = 0;
};

struct RunReport {
  std::string folder;
  RunConfig config;
  Json facts = Json::object();  // machine, reference arm, MDE, baselines
  std::string reference;        // what fitness is relative to
  RunSummary summary;
  std::array<double, kNumStages> stage_ms{};
  std::array<int64_t, kNumStages> ended_at{};  // outcomes without a rank
  std::map<std::string, DeviceShare> devices;  // by id; empty: there is one
  std::vector<BestChange> best_over_time;
  std::vector<ScoredPoint> scored;
  std::optional<Step> best;       // the step that confirmed it
  std::vector<Ancestor> lineage;  // founder first
  std::vector<GeneChange> genes;  // that differ from the founder's
  std::vector<FeatureAxisConfig> axes;
  std::vector<CellElite> cells;  // best over islands
  std::vector<std::string> confinement;

  // One honest sentence: what was found, against what, how surely.
  std::string headline() const;
};

Result<RunReport> read_report(const RunStore& store);

}  // namespace evoke
