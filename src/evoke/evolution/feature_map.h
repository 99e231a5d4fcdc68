// Where a candidate lies among its kind: declared features, cut into bins.
// The ranges never move, so a cell means the same all through a run.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "evoke/core/measurements.h"
#include "evoke/core/run_config.h"

namespace evoke {

using CellIndex = int32_t;

// balance x threadgroup_bytes.
std::vector<FeatureAxisConfig> default_feature_axes();

class FeatureMap {
 public:
  static constexpr CellIndex kMaxCells = 1 << 20;

  // Throws UsageError on an axis that makes no sense, and on too many cells.
  explicit FeatureMap(std::vector<FeatureAxisConfig> axes);

  // Values outside an axis fall into its first or last bin. A feature that is
  // missing or not a number counts as 0.
  CellIndex cell_of(const std::map<std::string, double>& features) const;
  CellIndex num_cells() const { return num_cells_; }
  // The bin on each axis.
  std::vector<int> bins_of(CellIndex cell) const;
  const std::vector<FeatureAxisConfig>& axes() const { return axes_; }

 private:
  std::vector<FeatureAxisConfig> axes_;
  CellIndex num_cells_ = 1;
};

// log2 of how much faster a candidate is on one kind of shape than on
// another: both speed-ups are weighted geometric means against the first
// baseline named, inputs cold. The kinds are told by the beginning of the
// shapes' names. nullopt when one kind was not measured.
std::optional<double> balance_of(const Measurements& measurements,
                                 std::string_view over_prefix,
                                 std::string_view under_prefix);

}  // namespace evoke
