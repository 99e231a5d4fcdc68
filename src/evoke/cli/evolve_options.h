// The options of `evoke evolve`, and the run configuration they make.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/core/run_config.h"
#include "evoke/proposers/llm/llm_config.h"

namespace evoke::cli {

struct EvolveOptions {
  std::vector<std::string> kernels;  // files to start from
  std::string seeds_folder;
  std::string config_path;
  // As given; empty or unset: the config file's, else the default.
  std::string device, workload, held_out, proposer, time_budget;
  std::string command;     // of the proposer `command`
  std::string replay_run;  // of the proposer `replay`
  std::string llm_path;    // of the proposer `llm`: its file
  std::vector<std::string> models;
  std::vector<std::string> prices;  // of models
  std::string prompts;              // a folder
  std::string write_prompts;        // a folder
  std::optional<double> llm_budget_usd;
  std::optional<int64_t> iterations;
  std::optional<int> workers;
  std::optional<double> target_score;
  std::optional<uint64_t> rng_seed;
  std::string output;       // the run directory itself
  std::string run_name;     // or its name
  std::string output_base;  // in this folder
  bool resume = false;
  std::string resume_path;  // empty: the latest run here
  bool dry_run = false;
  bool check_only = false;
};

void add_options(CLI::App& command, EvolveOptions& options);

// Defaults, then the config file, then the command line.
Result<RunConfig> resolve_config(const EvolveOptions& options);

// Which models are asked: the file named, or what the environment holds.
// `absent`: nothing is configured.
Result<llm::LlmConfig> resolve_llm(const EvolveOptions& options);

// Where a run that begins now is written.
std::string run_folder(const EvolveOptions& options);

}  // namespace evoke::cli
