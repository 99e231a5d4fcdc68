// Raw numbers of one candidate, and the one scalar made from them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace evoke {

enum class SpeedVerdict { faster, slower, cannot_tell };
std::string_view to_string(SpeedVerdict verdict);  // "cannot tell"

enum class CacheState { cold, warm };

// One ABBA unit: the two times of each side, averaged. Microseconds per call.
struct TimedPair {
  double baseline_us = 0;
  double candidate_us = 0;
};

// The race of one candidate against one baseline at one shape.
struct ShapeMeasurement {
  std::string shape;
  std::string baseline;  // name of what it was raced against
  CacheState cache_state = CacheState::cold;
  std::vector<TimedPair> pairs;  // raw, so that a verdict can be recomputed
  // Here the candidate is the baseline: the same machine code, launched alike.
  // Not raced: the times are what the baseline took before, 0 where unknown.
  bool same_code = false;
  int discarded_pairs = 0;  // the processor's clock changed
  int calls_per_block = 0;
  double candidate_us = 0;  // median
  double baseline_us = 0;   // median
  double speedup = 0;       // exp(median of paired log ratios)
  double speedup_low = 0;   // bootstrap interval
  double speedup_high = 0;
  double confidence = 0.95;   // of that interval
  double minimum_effect = 0;  // MDE used, as a log ratio
  double roof_us = 0;         // nothing on this machine can be below
  double weight = 1.0;
  SpeedVerdict verdict = SpeedVerdict::cannot_tell;

  bool has_result() const { return same_code || !pairs.empty(); }
};

struct Measurements {
  std::vector<ShapeMeasurement> shapes;
  // Everything else that a feature map or a table may want:
  // "code_bytes", "threadgroup_bytes", "launches", "source_bytes", ...
  std::map<std::string, double> features;
};

// Weighted geometric mean over the workload of baseline / candidate time.
struct Fitness {
  double value = 0;
  double low = 0;  // interval
  double high = 0;
};

// Over the `cold` measurements against the first baseline named. Shapes with
// no result make it zero: a candidate is ranked on the whole workload or not
// at all.
Fitness fitness_of(const Measurements& measurements);

}  // namespace evoke
