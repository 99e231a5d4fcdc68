#include "evoke/attention/truth.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <numbers>
#include <set>
#include <tuple>

#include "evoke/attention/reference.h"
#include "evoke/attention/vector_ops.h"
#include "evoke/base/rng.h"

namespace evoke::attention {
namespace {

// Root mean square of a relative rounding error that is uniform in
// +-2^-9, half a unit in the last place of bfloat16.
constexpr double kRounding = 0x1p-9 / std::numbers::sqrt3;
// With one key P is 1 and O is V, exactly. A limit of six times the noise is
// then half a unit in the last place.
constexpr double kSingleKeyRounding = 0x1p-9 / 6;

int octave_of(int64_t keys) {
  return std::bit_width(static_cast<uint64_t>(keys)) - 1;
}

// Puts every row into the group of its input kind and octave.
void make_groups(const InputGenerator& generator, Truth& truth) {
  const AttentionShape& shape = generator.shape();
  std::map<std::pair<InputKind, int>, int> index;
  for (CheckedRow& row : truth.rows) {
    const RowGroup group{generator.kind(row.b, row.head / shape.group()),
                         octave_of(shape.visible_keys(row.i)), 0};
    const auto [found, added] = index.try_emplace(
        {group.kind, group.octave}, static_cast<int>(truth.groups.size()));
    if (added) truth.groups.push_back(group);
    row.group = found->second;
    ++truth.groups[row.group].rows;
  }
}

// Key and value rows of one (b, kv_head), as float32.
struct Plane {
  std::vector<float> keys;
  std::vector<float> values;
};

void fill(const InputGenerator& generator, int64_t b, int64_t kv_head,
          std::vector<uint16_t>& bits, Plane& plane) {
  const int64_t count = generator.shape().Lk * generator.shape().D;
  bits.resize(count);
  plane.keys.resize(count);
  plane.values.resize(count);
  generator.key_plane(b, kv_head, bits.data());
  vector_ops().floats_of_bf16(bits.data(), count, plane.keys.data());
  generator.value_plane(b, kv_head, bits.data());
  vector_ops().floats_of_bf16(bits.data(), count, plane.values.data());
}

double norm_of(const double* row, int64_t dim) {
  double sum = 0;
  for (int64_t d = 0; d < dim; ++d) sum += row[d] * row[d];
  return std::sqrt(sum);
}

}  // namespace

std::vector<CheckedRow> choose_rows(const AttentionShape& shape,
                                    int64_t max_key_rows, uint64_t seed) {
  std::vector<CheckedRow> rows;
  if (shape.key_rows() <= max_key_rows) {
    for (int64_t b = 0; b < shape.B; ++b) {
      for (int64_t h = 0; h < shape.Hq; ++h) {
        for (int64_t i = 0; i < shape.Lq; ++i) rows.push_back({b, h, i, 0});
      }
    }
    return rows;
  }
  Rng rng = Rng(seed).fork("rows");
  std::vector<int64_t> heads(shape.B * shape.Hq);
  for (std::size_t k = 0; k < heads.size(); ++k) {
    heads[k] = static_cast<int64_t>(k);
  }
  rng.shuffle(heads);
  std::set<std::tuple<int64_t, int64_t, int64_t>> chosen;
  int64_t left = max_key_rows;
  // Rounds over the heads: last row, first row, then random ones. A row costs
  // at least 16 keys, so that this ends.
  for (int round = 0; left > 0; ++round) {
    for (const int64_t head : heads) {
      if (left <= 0) break;
      int64_t i =
          static_cast<int64_t>(rng.below(static_cast<uint64_t>(shape.Lq)));
      if (round == 0) i = shape.Lq - 1;
      if (round == 1) i = 0;
      left -= std::max<int64_t>(shape.visible_keys(i), 16);
      chosen.insert({head / shape.Hq, head % shape.Hq, i});
    }
  }
  for (const auto& [b, h, i] : chosen) rows.push_back({b, h, i, 0});
  return rows;
}

MeasuredTruth measure(const InputGenerator& generator,
                      std::vector<CheckedRow> rows,
                      std::span<const NamedForm> forms) {
  const AttentionShape& shape = generator.shape();
  const int64_t dim = shape.D;
  MeasuredTruth result;
  Truth& truth = result.truth;
  truth.dim = dim;
  truth.rows = std::move(rows);
  truth.values.resize(truth.rows.size() * dim);
  truth.noise.resize(truth.rows.size());
  make_groups(generator, truth);
  result.errors.assign(forms.size(),
                       std::vector<GroupErrors>(truth.groups.size()));

  Plane plane;
  std::vector<uint16_t> bits;
  std::vector<float> queries, scores, output;
  std::vector<double> answers, spread;
  std::vector<QueryRow> query_rows;
  FlashScratch scratch;
  for (std::size_t first = 0; first < truth.rows.size();) {
    const int64_t b = truth.rows[first].b;
    const int64_t kv_head = truth.rows[first].head / shape.group();
    std::size_t end = first;
    while (end < truth.rows.size() && truth.rows[end].b == b &&
           truth.rows[end].head / shape.group() == kv_head) {
      ++end;
    }
    const std::size_t count = end - first;
    fill(generator, b, kv_head, bits, plane);
    queries.resize(count * dim);
    query_rows.resize(count);
    for (std::size_t r = 0; r < count; ++r) {
      const CheckedRow& row = truth.rows[first + r];
      generator.query_row(b, row.head, row.i, bits.data());
      vector_ops().floats_of_bf16(bits.data(), dim, &queries[r * dim]);
      query_rows[r] = {&queries[r * dim], shape.visible_keys(row.i)};
    }
    answers.resize(count * dim);
    spread.resize(count);
    attend_f64(query_rows, plane.keys.data(), plane.values.data(), dim,
               shape.scale(), answers.data(), spread.data());
    for (std::size_t r = 0; r < count; ++r) {
      const double norm = norm_of(&answers[r * dim], dim);
      const double noise = query_rows[r].visible == 1
                               ? kSingleKeyRounding * norm
                               : kRounding * std::hypot(spread[r], norm);
      truth.noise[first + r] = static_cast<float>(noise);
    }
    std::copy(answers.begin(), answers.end(), &truth.values[first * dim]);

    output.resize(count * dim);
    scores.resize(shape.Lk);
    for (std::size_t f = 0; f < forms.size(); ++f) {
      for (std::size_t r = 0; r < count; ++r) {
        const QueryRow& row = query_rows[r];
        score_row(row.query, plane.keys.data(), row.visible, dim, shape.scale(),
                  scores.data());
        attend_row(forms[f].form, scores.data(), row.visible,
                   plane.values.data(), dim, &output[r * dim], scratch);
      }
      vector_ops().round_bf16(output.data(),
                              static_cast<int64_t>(output.size()));
      add_errors(truth, static_cast<int64_t>(first), output, result.errors[f]);
    }
    first = end;
  }
  return result;
}

}  // namespace evoke::attention
