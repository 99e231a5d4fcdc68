#include "evoke/core/measurements.h"

#include <cmath>

namespace evoke {

std::string_view to_string(SpeedVerdict verdict) {
  switch (verdict) {
    case SpeedVerdict::faster:
      return "faster";
    case SpeedVerdict::slower:
      return "slower";
    case SpeedVerdict::cannot_tell:
      break;
  }
  return "cannot tell";
}

// Speed-ups are averaged as logarithms, weighted. The shapes were timed
// independently, so the half-widths of their intervals add up as squares, on
// each side of its own.
Fitness fitness_of(const Measurements& measurements) {
  const std::string* baseline = nullptr;
  double weights = 0;
  double mean = 0;
  double below = 0;
  double above = 0;
  for (const ShapeMeasurement& shape : measurements.shapes) {
    if (shape.cache_state != CacheState::cold) continue;
    if (!baseline) baseline = &shape.baseline;
    if (shape.baseline != *baseline) continue;
    const bool measured = shape.has_result() && shape.speedup > 0 &&
                          std::isfinite(shape.speedup) && shape.weight >= 0 &&
                          std::isfinite(shape.weight);
    if (!measured) return {};
    if (shape.weight == 0) continue;
    const double value = std::log(shape.speedup);
    weights += shape.weight;
    mean += shape.weight * value;
    below += std::pow(shape.weight * (value - std::log(shape.speedup_low)), 2);
    above += std::pow(shape.weight * (std::log(shape.speedup_high) - value), 2);
  }
  if (!(weights > 0)) return {};
  mean /= weights;
  Fitness fitness;
  fitness.value = std::exp(mean);
  fitness.low = std::exp(mean - std::sqrt(below) / weights);
  fitness.high = std::exp(mean + std::sqrt(above) / weights);
  return fitness;
}

}  // namespace evoke
