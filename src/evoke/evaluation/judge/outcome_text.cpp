#include "evoke/evaluation/judge/outcome_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "evoke/core/outcome.h"

namespace evoke::judge {

std::map<std::string, double> features_of(const KernelBuild& build,
                                          const std::vector<Shape>& shapes) {
  std::map<std::string, double> features;
  features["source_bytes"] = static_cast<double>(build.source().text().size());
  const auto raise = [&](const char* name, int64_t value) {
    double& feature = features[name];
    feature = std::max(feature, static_cast<double>(value));
  };
  for (const Shape& shape : shapes) {
    const auto plan = build.plan_for(shape);
    if (!plan) continue;
    raise("launches", static_cast<int64_t>(plan->launches.size()));
    raise("scratch_bytes", plan->scratch_bytes());
    raise("threadgroup_bytes", 0);
    for (const ResolvedLaunch& launch : plan->launches) {
      raise("threadgroup_bytes", launch.dynamic_memory_bytes);
    }
  }
  for (const auto& [unit, compiled] : build.units()) {
    for (const auto& [name, value] : compiled->compiled.report.items()) {
      if (value.is_number()) features[name] += value.get<double>();
    }
  }
  return features;
}

std::string describe(const Measurements& measurements, const Fitness& fitness) {
  if (measurements.shapes.empty()) return "not timed";
  std::string text = fmt::format(
      "{:.3f} x {} ({:.3f} to {:.3f})", fitness.value,
      measurements.shapes.front().baseline, fitness.low, fitness.high);
  int num_compared = 0;
  int num_same = 0;
  for (const ShapeMeasurement& shape : measurements.shapes) {
    if (shape.baseline != measurements.shapes.front().baseline ||
        shape.cache_state != CacheState::cold) {
      continue;
    }
    ++num_compared;
    if (shape.same_code) {
      ++num_same;
      continue;
    }
    text += fmt::format("; {} {:.3f} x, {}", shape.shape, shape.speedup,
                        to_string(shape.verdict));
    if (shape.roof_us > 0 && shape.candidate_us > 0) {
      text += fmt::format(", {:.0f} % of roof",
                          100 * shape.roof_us / shape.candidate_us);
    }
  }
  if (num_same > 0) {
    text += fmt::format("; the same machine code at {} of {} shapes", num_same,
                        num_compared);
  }
  return text;
}

Json to_json(const std::vector<CaseResult>& results) {
  Json rows = Json::array();
  for (const CaseResult& result : results) {
    rows.push_back({{"case", result.label},
                    {"right", !result.failure.has_value()},
                    {"row_ratio", result.report.row_ratio},
                    {"mean_ratio", result.report.mean_ratio},
                    {"element_ratio", result.report.element_ratio},
                    {"ms", result.elapsed_ms}});
    if (result.failure) {
      rows.back()["outcome"] = to_string(*result.failure);
      rows.back()["message"] = result.message;
      if (!result.finding.empty()) rows.back()["finding"] = result.finding;
    }
    if (!result.notes.empty()) rows.back()["notes"] = result.notes;
    if (result.passed_before) rows.back()["passed_before"] = true;
  }
  return rows;
}

}  // namespace evoke::judge
