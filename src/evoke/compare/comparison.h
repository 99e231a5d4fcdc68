// What finished pairs prove. Pure arithmetic over the journal, on the judge's
// statistics: everything can be computed again from pairs.jsonl.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "evoke/base/json.h"
#include "evoke/compare/run_sample.h"
#include "evoke/compare/scenarios.h"
#include "evoke/core/measurements.h"

namespace evoke::compare {

inline constexpr double kConfidence = 0.95;

struct Interval {
  double median = 0;
  double low = 0;
  double high = 0;
};

// Tokens per second of both sides, and their ratio.
struct SpeedComparison {
  Interval baseline;
  Interval kernel;
  // Why there is no speed-up to print: the attestation disagrees, or there
  // is nothing to compare. Empty: the following hold.
  std::string refusal;
  Interval speedup;
  double minimum_effect = 0;  // as a log ratio
  SpeedVerdict verdict = SpeedVerdict::cannot_tell;
};

struct ScenarioResult {
  Scenario scenario;
  int num_pairs = 0;
  int64_t prompt_tokens = 0;
  SpeedComparison prompt;
  SpeedComparison generation;
  double baseline_peak_bytes = 0;  // medians
  double kernel_peak_bytes = 0;
  // Of the bytes that a decode step moves, those of the KV-cache, at the mean
  // length of this scenario's generation.
  double attention_share = 0;
  int64_t mean_context = 0;
  // Tokens that both sides of a pair begin with alike, of max_tokens: the
  // least over the pairs.
  int64_t equal_tokens = 0;
  Json agreement;  // null: not measured
};

struct Comparison {
  bool has_kernel = false;
  std::vector<ScenarioResult> scenarios;
  SpeedComparison overall;  // geometric mean of generation; no rates
};

// `kernel_hash` empty: the baseline alone.
Comparison compare_pairs(const std::vector<Scenario>& scenarios,
                         const std::vector<RunPair>& pairs,
                         const std::map<std::string, Json>& agreements,
                         const std::string& kernel_hash);

// K L / (W + K L)
double attention_share(double kv_bytes_per_token, double context,
                       double weight_bytes);

}  // namespace evoke::compare
