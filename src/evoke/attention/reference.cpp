#include "evoke/attention/reference.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "evoke/attention/vector_ops.h"

namespace evoke::attention {
namespace {

constexpr std::size_t kRowBlock = 8;  // rows that share a tile in L1
constexpr int64_t kTile = 32;

struct RowState {
  std::vector<double> query;   // times scale
  std::vector<double> scores;  // then probabilities, not normalised
  double sum = 0;
};

void attend_block(std::span<const QueryRow> rows, const float* keys,
                  const float* values, int64_t dim, double scale,
                  const double* squares, std::vector<RowState>& states,
                  double* output, double* spread) {
  const VectorOps& ops = vector_ops();
  int64_t longest = 0;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    RowState& state = states[r];
    state.query.resize(dim);
    for (int64_t d = 0; d < dim; ++d) {
      state.query[d] = scale * static_cast<double>(rows[r].query[d]);
    }
    state.scores.resize(rows[r].visible);
    longest = std::max(longest, rows[r].visible);
  }
  const auto for_each_tile = [&](const auto& body) {
    for (int64_t first = 0; first < longest; first += kTile) {
      for (std::size_t r = 0; r < rows.size(); ++r) {
        const int64_t count = std::min(kTile, rows[r].visible - first);
        if (count > 0) body(r, first, count);
      }
    }
  };
  for_each_tile([&](std::size_t r, int64_t first, int64_t count) {
    ops.dot_rows_f64(states[r].query.data(), keys + first * dim, count, dim,
                     states[r].scores.data() + first);
  });
  for (std::size_t r = 0; r < rows.size(); ++r) {
    RowState& state = states[r];
    state.sum = 0;
    std::fill_n(output + r * dim, dim, 0.0);
    if (rows[r].visible == 0) continue;
    const double largest =
        *std::max_element(state.scores.begin(), state.scores.end());
    for (double& score : state.scores) {
      score = std::exp(score - largest);
      state.sum += score;
    }
  }
  for_each_tile([&](std::size_t r, int64_t first, int64_t count) {
    ops.add_rows_f64(states[r].scores.data() + first, values + first * dim, dim,
                     count, dim, output + r * dim);
  });
  for (std::size_t r = 0; r < rows.size(); ++r) {
    if (rows[r].visible == 0) continue;
    for (int64_t d = 0; d < dim; ++d) output[r * dim + d] /= states[r].sum;
  }
  for (std::size_t r = 0; spread != nullptr && r < rows.size(); ++r) {
    double sum = 0;
    for (int64_t j = 0; j < rows[r].visible; ++j) {
      const double p = states[r].scores[j];
      sum += p * p * squares[j];
    }
    spread[r] = rows[r].visible == 0 ? 0 : std::sqrt(sum) / states[r].sum;
  }
}

}  // namespace

void attend_f64(std::span<const QueryRow> rows, const float* keys,
                const float* values, int64_t dim, double scale, double* output,
                double* spread) {
  std::vector<RowState> states(std::min(kRowBlock, rows.size()));
  std::vector<double> squares;  // |v_j|^2
  if (spread != nullptr) {
    int64_t longest = 0;
    for (const QueryRow& row : rows) longest = std::max(longest, row.visible);
    squares.resize(longest);
    std::vector<double> value(dim);
    for (int64_t j = 0; j < longest; ++j) {
      std::copy_n(values + j * dim, dim, value.begin());
      vector_ops().dot_rows_f64(value.data(), values + j * dim, 1, dim,
                                &squares[j]);
    }
  }
  for (std::size_t first = 0; first < rows.size(); first += kRowBlock) {
    const auto block =
        rows.subspan(first, std::min(kRowBlock, rows.size() - first));
    attend_block(block, keys, values, dim, scale, squares.data(), states,
                 output + first * dim,
                 spread == nullptr ? nullptr : spread + first);
  }
}

}  // namespace evoke::attention
