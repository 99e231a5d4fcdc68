// Everything that decides how a run goes, resolved: what `--dry-run` prints
// and `config.toml` in the run directory holds.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "evoke/base/error.h"

namespace evoke {

struct BudgetConfig {
  int64_t iterations = 0;   // proposals; 0: no limit
  double time_s = 120;      // wall time of the search; 0: no limit
  int64_t patience = 0;     // iterations without a new best; 0: no limit
  double target_score = 0;  // stop once a confirmed fitness reaches it
};

struct IslandConfig {
  int count = 2;
  int migration_interval = 40;  // applied outcomes between two migrations
  int migrants = 1;             // elites sent to the next island of the ring
  int stagnation_limit = 150;   // outcomes without a change before a restart
};

// Shares of the parent selector; they are normalised.
struct SelectionConfig {
  double exploit = 0.8;     // rank-based among elites
  double explore = 0.12;    // uniform over occupied cells
  double curiosity = 0.08;  // cells whose children improved
};

struct FeatureAxisConfig {
  std::string name;  // "balance", or any name in Measurements::features
  double low = 0;
  double high = 1;
  int bins = 8;
  bool log_scale = false;
};

struct TimingConfig {
  int search_pairs = 8;  // per shape; stops early when clearly slower
  int confirm_pairs = 40;
  double block_ms = 1.0;           // shortest timed block
  int64_t rotation_bytes = 0;      // 0: chosen from the last-level cache
  double max_probe_change = 0.06;  // of the clock; such pairs are timed again
};
// A GPU times itself: fewer pairs and shorter blocks say as much.
TimingConfig default_timing(const std::string& device);

struct ProposersConfig {
  int inbox_tasks = 4;  // open at a time
  std::string command;  // of `command`: a line for /bin/sh
  double command_timeout_s = 300;
  int command_in_flight = 2;
  std::string replay;  // of `replay`: an earlier run's directory
  // What an hour of judging is worth beside what models cost.
  double usd_per_hour = 2;
};

struct RunConfig {
  std::string device = "auto";  // cpu cuda metal auto, or several
  std::string workload = "quick";
  std::string held_out;            // a workload reported at the end only
  std::vector<std::string> seeds;  // kernel files; empty: the embedded ones
  // One or several, separated by commas: parameters llm inbox command replay.
  std::string proposer = "parameters";
  int workers = 0;  // 0: one per core
  uint64_t rng_seed = 1;
  BudgetConfig budget;
  IslandConfig islands;
  SelectionConfig selection;
  std::vector<FeatureAxisConfig> features;  // empty: the default map
  TimingConfig timing;
  ProposersConfig proposers;
};

// Reads a TOML config over `base`; unknown keys are errors that name file,
// line and key.
Result<RunConfig> read_run_config(const std::string& path, RunConfig base);
std::string to_toml(const RunConfig& config);
Result<RunConfig> run_config_from_toml(std::string_view text,
                                       std::string_view path, RunConfig base);

}  // namespace evoke
