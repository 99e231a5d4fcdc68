#include "evoke/evolution/feature_map.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "evoke/base/error.h"

namespace evoke {
namespace {

std::string what_is_wrong(const FeatureAxisConfig& axis) {
  if (axis.name.empty()) return "has no name. Give it a feature's name";
  if (axis.bins < 1) return "has no bins. Use 1 or more";
  if (!std::isfinite(axis.low) || !std::isfinite(axis.high) ||
      !(axis.low < axis.high)) {
    return "has an empty range. Use low < high";
  }
  if (axis.log_scale && !(axis.low > 0)) {
    return "has a log scale that begins at or below 0. Use low > 0";
  }
  return {};
}

int bin_of(const FeatureAxisConfig& axis, double value) {
  if (std::isnan(value)) value = 0;
  const double clamped = std::clamp(value, axis.low, axis.high);
  const double position =
      axis.log_scale
          ? std::log(clamped / axis.low) / std::log(axis.high / axis.low)
          : (clamped - axis.low) / (axis.high - axis.low);
  const int bin = static_cast<int>(position * axis.bins);
  return std::clamp(bin, 0, axis.bins - 1);
}

}  // namespace

std::vector<FeatureAxisConfig> default_feature_axes() {
  return {{.name = "balance", .low = -2, .high = 2, .bins = 9},
          {.name = "threadgroup_bytes",
           .low = 256,
           .high = 256 * 1024,
           .bins = 10,
           .log_scale = true}};
}

FeatureMap::FeatureMap(std::vector<FeatureAxisConfig> axes)
    : axes_(std::move(axes)) {
  std::set<std::string> names;
  int64_t cells = 1;
  for (const FeatureAxisConfig& axis : axes_) {
    std::string wrong = what_is_wrong(axis);
    if (!names.insert(axis.name).second) {
      wrong = "stands there twice. Name each feature once";
    }
    if (!wrong.empty()) {
      throw UsageError("[FeatureMap] feature '" + axis.name + "' " + wrong +
                       ".");
    }
    cells *= axis.bins;
    if (cells > kMaxCells) {
      throw UsageError("[FeatureMap] more than " + std::to_string(kMaxCells) +
                       " cells. Use fewer features or bins.");
    }
  }
  num_cells_ = static_cast<CellIndex>(cells);
}

CellIndex FeatureMap::cell_of(
    const std::map<std::string, double>& features) const {
  CellIndex cell = 0;
  for (const FeatureAxisConfig& axis : axes_) {
    const auto found = features.find(axis.name);
    const double value = found == features.end() ? 0 : found->second;
    cell = cell * axis.bins + bin_of(axis, value);
  }
  return cell;
}

std::vector<int> FeatureMap::bins_of(CellIndex cell) const {
  std::vector<int> bins(axes_.size());
  for (std::size_t i = axes_.size(); i-- > 0;) {
    bins[i] = cell % axes_[i].bins;
    cell /= axes_[i].bins;
  }
  return bins;
}

std::optional<double> balance_of(const Measurements& measurements,
                                 std::string_view over_prefix,
                                 std::string_view under_prefix) {
  struct Mean {
    double sum = 0;
    double weights = 0;
  };
  Mean over;
  Mean under;
  const std::string* baseline = nullptr;
  for (const ShapeMeasurement& shape : measurements.shapes) {
    if (shape.cache_state != CacheState::cold) continue;
    if (!baseline) baseline = &shape.baseline;
    if (shape.baseline != *baseline || !(shape.weight > 0)) continue;
    if (!(shape.speedup > 0) || !std::isfinite(shape.speedup)) continue;
    Mean* mean = shape.shape.starts_with(over_prefix)    ? &over
                 : shape.shape.starts_with(under_prefix) ? &under
                                                         : nullptr;
    if (!mean) continue;
    mean->sum += shape.weight * std::log2(shape.speedup);
    mean->weights += shape.weight;
  }
  if (!(over.weights > 0) || !(under.weights > 0)) return std::nullopt;
  return over.sum / over.weights - under.sum / under.weights;
}

}  // namespace evoke
