#include "evoke/compare/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "evoke/base/hash.h"
#include "evoke/evaluation/judge/verdict.h"

namespace evoke::compare {
namespace {

using judge::LogRatioInterval;
using Rate = double (*)(const RunSample&);

double prompt_rate(const RunSample& sample) {
  return sample.prompt_tokens_per_s;
}
double generation_rate(const RunSample& sample) {
  return sample.generation_tokens_per_s;
}

Interval from_logs(const LogRatioInterval& logs) {
  return {std::exp(logs.median), std::exp(logs.low), std::exp(logs.high)};
}

double median_of(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle]
                                : (values[middle - 1] + values[middle]) / 2;
}

// The median of rates: that of their logarithms, with its interval.
Interval interval_of(const std::vector<double>& rates, uint64_t seed) {
  if (std::none_of(rates.begin(), rates.end(),
                   [](double rate) { return rate > 0; })) {
    return {};
  }
  std::vector<TimedPair> pairs;
  for (const double rate : rates) pairs.push_back({rate, 1.0});
  return from_logs(judge::log_ratio_interval(pairs, kConfidence, seed));
}

// One scenario's pairs as times per token.
std::vector<TimedPair> times_of(const std::vector<const RunPair*>& pairs,
                                Rate rate) {
  std::vector<TimedPair> times;
  for (const RunPair* each : pairs) {
    times.push_back({1e6 / rate(each->baseline), 1e6 / rate(*each->kernel)});
  }
  return times;
}

// Consecutive baselines: fresh processes of the same program, as far apart as
// the sides of a pair, so what differs between them is noise.
std::vector<TimedPair> same_program_times(
    const std::vector<const RunPair*>& pairs, Rate rate) {
  std::vector<TimedPair> times;
  for (std::size_t i = 1; i < pairs.size(); ++i) {
    times.push_back(
        {1e6 / rate(pairs[i - 1]->baseline), 1e6 / rate(pairs[i]->baseline)});
  }
  return times;
}

// Empty when every run of the pairs attests what it should.
std::string refusal_of(const std::vector<const RunPair*>& pairs,
                       const std::string& kernel_hash, AttentionPhase phase,
                       Rate rate) {
  for (const RunPair* each : pairs) {
    const auto baseline =
        check_attestation(each->baseline.attestation, "", phase);
    if (!baseline) return "baseline: " + baseline.error().message;
    if (!each->kernel) return "no run of the kernel";
    const auto kernel =
        check_attestation(each->kernel->attestation, kernel_hash, phase);
    if (!kernel) return kernel.error().message;
    if (!(rate(each->baseline) > 0) || !(rate(*each->kernel) > 0)) {
      return "too few tokens to time";
    }
  }
  return pairs.empty() ? "no pair yet" : "";
}

SpeedComparison compare_speed(const std::vector<const RunPair*>& pairs,
                              const std::string& kernel_hash,
                              AttentionPhase phase, uint64_t seed) {
  const Rate rate =
      phase == AttentionPhase::prompt ? prompt_rate : generation_rate;
  SpeedComparison result;
  std::vector<double> baseline;
  std::vector<double> kernel;
  for (const RunPair* each : pairs) {
    baseline.push_back(rate(each->baseline));
    if (each->kernel) kernel.push_back(rate(*each->kernel));
  }
  result.baseline = interval_of(baseline, seed);
  result.kernel = interval_of(kernel, seed);
  if (kernel_hash.empty()) {
    result.refusal = "no kernel";
    return result;
  }
  result.refusal = refusal_of(pairs, kernel_hash, phase, rate);
  if (!result.refusal.empty()) return result;
  const std::vector<TimedPair> times = times_of(pairs, rate);
  const auto logs = judge::log_ratio_interval(times, kConfidence, seed);
  result.speedup = from_logs(logs);
  const std::vector<TimedPair> same = same_program_times(pairs, rate);
  result.minimum_effect =
      judge::minimum_effect({&same, 1}, static_cast<int>(times.size()), seed);
  if (static_cast<int>(times.size()) >= judge::least_pairs(kConfidence)) {
    result.verdict = judge::verdict_of(logs, result.minimum_effect);
  }
  return result;
}

int64_t equal_prefix(const RunPair& pair) {
  const auto& a = pair.baseline.tokens;
  const auto& b = pair.kernel->tokens;
  const auto ends = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  return ends.first - a.begin();
}

ScenarioResult result_of(const Scenario& scenario,
                         const std::vector<const RunPair*>& pairs,
                         const std::string& kernel_hash) {
  ScenarioResult result;
  result.scenario = scenario;
  result.num_pairs = static_cast<int>(pairs.size());
  const uint64_t seed = hash_u64(scenario.name);
  result.prompt =
      compare_speed(pairs, kernel_hash, AttentionPhase::prompt, seed);
  result.generation =
      compare_speed(pairs, kernel_hash, AttentionPhase::decode, seed);
  if (pairs.empty()) return result;
  std::vector<double> baseline_peaks;
  std::vector<double> kernel_peaks;
  result.equal_tokens = scenario.max_tokens;
  for (const RunPair* each : pairs) {
    baseline_peaks.push_back(
        static_cast<double>(each->baseline.peak_memory_bytes));
    if (!each->kernel) continue;
    kernel_peaks.push_back(
        static_cast<double>(each->kernel->peak_memory_bytes));
    result.equal_tokens = std::min(result.equal_tokens, equal_prefix(*each));
  }
  result.baseline_peak_bytes = median_of(baseline_peaks);
  result.kernel_peak_bytes = median_of(kernel_peaks);
  const RunSample& sample = pairs.front()->baseline;
  result.prompt_tokens = sample.prompt_tokens;
  result.mean_context = sample.prompt_tokens + scenario.max_tokens / 2;
  result.attention_share =
      attention_share(static_cast<double>(sample.kv_bytes_per_token),
                      static_cast<double>(result.mean_context),
                      static_cast<double>(sample.weight_bytes));
  return result;
}

// Every scenario counts alike; one that may not be counted refuses the mean.
SpeedComparison overall_of(
    const std::vector<ScenarioResult>& results,
    const std::vector<std::vector<const RunPair*>>& pairs) {
  SpeedComparison overall;
  std::vector<ShapeMeasurement> races;
  std::vector<std::vector<TimedPair>> same;
  std::size_t fewest = SIZE_MAX;
  for (std::size_t i = 0; i < results.size(); ++i) {
    const SpeedComparison& generation = results[i].generation;
    if (!generation.refusal.empty()) {
      overall.refusal = results[i].scenario.name + ": " + generation.refusal;
      return overall;
    }
    ShapeMeasurement race;
    race.pairs = times_of(pairs[i], generation_rate);
    fewest = std::min(fewest, race.pairs.size());
    races.push_back(std::move(race));
    same.push_back(same_program_times(pairs[i], generation_rate));
  }
  if (races.empty()) {
    overall.refusal = "no scenario";
    return overall;
  }
  std::vector<const ShapeMeasurement*> pointers;
  std::vector<judge::WeightedRaces> weighted;
  for (std::size_t i = 0; i < races.size(); ++i) {
    pointers.push_back(&races[i]);
    weighted.push_back({{&same[i], 1}, 1.0});
  }
  const uint64_t seed = hash_u64("overall");
  const auto logs = judge::weighted_interval(pointers, kConfidence, seed);
  overall.speedup = from_logs(logs);
  overall.minimum_effect =
      judge::minimum_weighted_effect(weighted, static_cast<int>(fewest), seed);
  if (static_cast<int>(fewest) >= judge::least_pairs(kConfidence)) {
    overall.verdict = judge::verdict_of(logs, overall.minimum_effect);
  }
  return overall;
}

}  // namespace

double attention_share(double kv_bytes_per_token, double context,
                       double weight_bytes) {
  const double cache = kv_bytes_per_token * context;
  return cache + weight_bytes > 0 ? cache / (cache + weight_bytes) : 0;
}

Comparison compare_pairs(const std::vector<Scenario>& scenarios,
                         const std::vector<RunPair>& pairs,
                         const std::map<std::string, Json>& agreements,
                         const std::string& kernel_hash) {
  Comparison comparison;
  comparison.has_kernel = !kernel_hash.empty();
  std::vector<std::vector<const RunPair*>> by_scenario;
  for (const Scenario& scenario : scenarios) {
    std::vector<const RunPair*> own;
    for (const RunPair& each : pairs) {
      if (each.scenario == scenario.name) own.push_back(&each);
    }
    comparison.scenarios.push_back(result_of(scenario, own, kernel_hash));
    const auto agreement = agreements.find(scenario.name);
    if (agreement != agreements.end()) {
      comparison.scenarios.back().agreement = agreement->second;
    }
    by_scenario.push_back(std::move(own));
  }
  if (comparison.has_kernel) {
    comparison.overall = overall_of(comparison.scenarios, by_scenario);
  } else {
    comparison.overall.refusal = "no kernel";
  }
  return comparison;
}

}  // namespace evoke::compare
