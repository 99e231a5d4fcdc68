#include "evoke/attention/gate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "evoke/attention/vector_ops.h"

namespace evoke::attention {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// An exact answer (noise 0) leaves room for nothing.
double in_noise(double error, double noise) {
  if (error == 0) return 0;
  return noise > 0 ? error / noise : kInfinity;
}

// NaN counts as infinitely bad.
double ratio(double error, double limit) {
  return error <= kInfinity ? error / limit : kInfinity;
}

}  // namespace

void add_errors(const Truth& truth, int64_t first,
                std::span<const float> output, std::span<GroupErrors> errors) {
  const VectorOps& ops = vector_ops();
  const auto dim = static_cast<double>(truth.dim);
  const auto rows = static_cast<int64_t>(output.size()) / truth.dim;
  for (int64_t r = first; r < first + rows; ++r) {
    const RowDistance distance =
        ops.distance(&output[(r - first) * truth.dim],
                     &truth.values[r * truth.dim], truth.dim);
    const double noise = truth.noise[r];
    const double row = std::isfinite(distance.largest)
                           ? in_noise(std::sqrt(distance.square_sum), noise)
                           : kInfinity;
    GroupErrors& group = errors[truth.rows[r].group];
    group.sum += row;
    group.worst_element =
        std::max(group.worst_element,
                 in_noise(distance.largest, noise / std::sqrt(dim)));
    if (!(row <= group.worst_row) || group.worst_row_index < 0) {
      group.worst_row = row;
      group.worst_row_index = r;
    }
  }
}

Envelope::Envelope(const std::vector<RowGroup>& groups,
                   std::span<const std::vector<GroupErrors>> family,
                   int exclude, double margin, const Thresholds& thresholds) {
  limits_.resize(groups.size());
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const auto rows = static_cast<double>(groups[g].rows);
    double row = 0, mean = 0, element = 0;
    for (std::size_t m = 0; m < family.size(); ++m) {
      if (static_cast<int>(m) == exclude) continue;
      const GroupErrors& member = family[m][g];
      row = std::max(row, member.worst_row);
      mean = std::max(mean, member.sum / rows);
      element = std::max(element, member.worst_element);
    }
    const double mean_floor =
        thresholds.mean_floor + thresholds.mean_slack / std::sqrt(rows);
    limits_[g].row =
        margin * std::max(thresholds.row * row, thresholds.row_floor);
    limits_[g].mean = margin * std::max(thresholds.mean * mean, mean_floor);
    limits_[g].element = margin * thresholds.element * std::max(element, 1.0);
    // An infinite limit would let everything pass.
    if (!(std::max({row, mean, element}) < kInfinity)) {
      throw std::logic_error(
          "[Envelope] an honest form's error is not finite. Usual cause: "
          "inputs on which attention itself overflows");
    }
  }
}

CheckReport Envelope::judge(const Truth& truth,
                            std::span<const GroupErrors> errors) const {
  CheckReport report;
  if (limits_.empty()) {
    report.message = "nothing was compared";
    return report;
  }
  std::size_t worst_group = 0;
  double worst = -1;
  for (std::size_t g = 0; g < limits_.size(); ++g) {
    const double row = ratio(errors[g].worst_row, limits_[g].row);
    const double mean =
        ratio(errors[g].sum / static_cast<double>(truth.groups[g].rows),
              limits_[g].mean);
    const double element = ratio(errors[g].worst_element, limits_[g].element);
    report.row_ratio = std::max(report.row_ratio, row);
    report.mean_ratio = std::max(report.mean_ratio, mean);
    report.element_ratio = std::max(report.element_ratio, element);
    if (const double here = std::max({row, mean, element}); here > worst) {
      worst = here;
      worst_group = g;
    }
  }
  if (worst <= 1) {
    report.verdict = CheckVerdict::right;
    return report;
  }
  const GroupErrors& group = errors[worst_group];
  const CheckedRow& row = truth.rows[group.worst_row_index];
  report.message = fmt::format(
      "wrong by {:.3g} x the limit on {} input; worst row: batch {}, query "
      "head {}, query {}: error {:.3g} x what rounding P and O to bf16 costs "
      "(limit {:.3g}), mean over {} such rows {:.3g} x (limit {:.3g})",
      worst, to_string(truth.groups[worst_group].kind), row.b, row.head, row.i,
      group.worst_row, limits_[worst_group].row, truth.groups[worst_group].rows,
      group.sum / static_cast<double>(truth.groups[worst_group].rows),
      limits_[worst_group].mean);
  return report;
}

}  // namespace evoke::attention
