// The gate's rule: how wrong may an output be. Pure arithmetic on rows; the
// reasons and the measured power are in docs/gate.md.
//
// A row's error is measured in units of its *noise*, what rounding P and O to
// bfloat16 costs at least: 2^-9/sqrt(3) sqrt(sum_j w_j^2 |v_j|^2 + |o|^2).
// Rows are judged in groups of one input kind and one octave of visible keys,
// each against the honest family's errors in that same group.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "evoke/attention/inputs.h"
#include "evoke/core/problem.h"

namespace evoke::attention {

struct Thresholds {
  double row = 2.0;      // x the family's worst row of the group
  double mean = 1.5;     // x the family's worst group mean
  double element = 8.0;  // x the family's worst element of the group
  // Below these no limit falls, in units of noise. A mean over n rows may
  // reach mean_floor + mean_slack / sqrt(n), so that one row alone has
  // row_floor.
  double row_floor = 6.0;
  double mean_floor = 2.0;
  double mean_slack = 4.0;
};

// An output row that is compared with the truth.
struct CheckedRow {
  int64_t b = 0;
  int64_t head = 0;
  int64_t i = 0;
  int group = 0;
};

struct RowGroup {
  InputKind kind = InputKind::normal;
  int octave = 0;  // visible keys in [2^octave, 2^(octave + 1)); -1: none
  int64_t rows = 0;
};

// The float64 answers of one case, for the rows that are compared.
struct Truth {
  int64_t dim = 0;
  std::vector<CheckedRow> rows;  // in the order of (b, kv_head)
  std::vector<float> values;     // rows x dim
  std::vector<float> noise;      // per row; 0 where no key is seen
  std::vector<RowGroup> groups;
};

// What one output's errors were in one group, in units of noise.
struct GroupErrors {
  double worst_row = 0;
  double sum = 0;  // over rows
  double worst_element = 0;
  int64_t worst_row_index = -1;  // into Truth::rows
};

// Adds the errors of rows [first, first + n) of the truth, whose outputs are
// `output` (n x dim, already rounded to bfloat16), to `errors` (one per
// group). Anything not finite is an infinite error.
void add_errors(const Truth& truth, int64_t first,
                std::span<const float> output, std::span<GroupErrors> errors);

// Limits of every group.
class Envelope {
 public:
  Envelope() = default;
  // `family`: the errors of each member. `exclude`: a member left out (-1:
  // none). `margin` widens every limit.
  Envelope(const std::vector<RowGroup>& groups,
           std::span<const std::vector<GroupErrors>> family, int exclude = -1,
           double margin = 1, const Thresholds& thresholds = {});

  struct Limit {
    double row = 0;
    double mean = 0;
    double element = 0;
  };
  const std::vector<Limit>& limits() const { return limits_; }
  // The report's message names the worst row, or is empty when right.
  CheckReport judge(const Truth& truth,
                    std::span<const GroupErrors> errors) const;

 private:
  std::vector<Limit> limits_;
};

}  // namespace evoke::attention
