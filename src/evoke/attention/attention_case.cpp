#include "evoke/attention/attention_case.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <utility>

#include "evoke/attention/bf16.h"
#include "evoke/attention/layouts.h"
#include "evoke/attention/vector_ops.h"
#include "evoke/base/parallel.h"

namespace evoke::attention {
namespace {

// Rounded probabilities over a denominator that was not rounded, and the
// rounding of the output.
constexpr float kBoundSlack = 0x1p-6f;

enum class RowState { fine, not_written, not_finite };

RowState state_of(const uint16_t* row, int64_t dim) {
  int poisoned = 0;
  int broken = 0;
  for (int64_t d = 0; d < dim; ++d) {
    poisoned += row[d] == kPoison;
    broken += (row[d] & 0x7f80) == 0x7f80;
  }
  if (poisoned > 0) return RowState::not_written;
  return broken > 0 ? RowState::not_finite : RowState::fine;
}

CheckReport wrong(CheckVerdict verdict, std::string message) {
  CheckReport report;
  report.verdict = verdict;
  report.row_ratio = report.mean_ratio = report.element_ratio = INFINITY;
  report.message = std::move(message);
  return report;
}

std::string name_of_row(int64_t b, int64_t h, int64_t i) {
  return fmt::format("batch {}, query head {}, query {}", b, h, i);
}

}  // namespace

ValueBounds::ValueBounds(const InputGenerator& generator) {
  const AttentionShape& shape = generator.shape();
  num_kv_heads_ = shape.Hkv;
  dim_ = shape.D;
  low_.assign(shape.B * shape.Hkv * dim_, INFINITY);
  high_.assign(low_.size(), -INFINITY);
  std::vector<uint16_t> bits(dim_);
  std::vector<float> row(dim_);
  for (int64_t plane = 0; plane < shape.B * shape.Hkv; ++plane) {
    float* low = &low_[plane * dim_];
    float* high = &high_[plane * dim_];
    for (int64_t j = 0; j < shape.Lk; ++j) {
      generator.value_row(plane / shape.Hkv, plane % shape.Hkv, j, bits.data());
      vector_ops().floats_of_bf16(bits.data(), dim_, row.data());
      for (int64_t d = 0; d < dim_; ++d) {
        low[d] = std::min(low[d], row[d]);
        high[d] = std::max(high[d], row[d]);
      }
    }
    for (int64_t d = 0; d < dim_; ++d) {
      const float slack =
          kBoundSlack * std::max(std::abs(low[d]), std::abs(high[d]));
      low[d] -= slack;
      high[d] += slack;
    }
  }
}

bool ValueBounds::contains(int64_t b, int64_t kv_head,
                           const uint16_t* row) const {
  const int64_t plane = (b * num_kv_heads_ + kv_head) * dim_;
  bool inside = true;
  for (int64_t d = 0; d < dim_; ++d) {
    const float value = float_of_bf16(row[d]);
    inside &= value >= low_[plane + d] && value <= high_[plane + d];
  }
  return inside;
}

void write_tensor(const InputGenerator& generator, const TensorLayout& tensor,
                  std::size_t index, std::span<std::byte> allocation) {
  poison(allocation);
  if (index == kOutput) return;
  std::vector<uint16_t> row(tensor.shape[3]);
  for (int64_t b = 0; b < tensor.shape[0]; ++b) {
    for (int64_t h = 0; h < tensor.shape[1]; ++h) {
      for (int64_t i = 0; i < tensor.shape[2]; ++i) {
        if (index == kQuery) generator.query_row(b, h, i, row.data());
        if (index == kKey) generator.key_row(b, h, i, row.data());
        if (index == kValue) generator.value_row(b, h, i, row.data());
        std::memcpy(allocation.data() + row_offset_bytes(tensor, b, h, i),
                    row.data(), row.size() * sizeof(uint16_t));
      }
    }
  }
}

// The first row of one (batch, query head) that cannot be right.
std::optional<CheckReport> look_at_rows(const TensorLayout& tensor,
                                        const AttentionShape& shape,
                                        const ValueBounds* bounds, int64_t b,
                                        int64_t h,
                                        std::span<const std::byte> output) {
  std::vector<uint16_t> row(shape.D);
  for (int64_t i = 0; i < shape.Lq; ++i) {
    std::memcpy(row.data(), output.data() + row_offset_bytes(tensor, b, h, i),
                row.size() * sizeof(uint16_t));
    const RowState state = state_of(row.data(), shape.D);
    if (state == RowState::not_written) {
      return wrong(CheckVerdict::wrong,
                   name_of_row(b, h, i) +
                       ": not written, or computed from memory that no "
                       "tensor covers (NaN guard bands)");
    }
    if (state == RowState::not_finite) {
      return wrong(CheckVerdict::wrong,
                   name_of_row(b, h, i) + ": NaN or infinity");
    }
    if (bounds != nullptr &&
        !bounds->contains(b, h / shape.group(), row.data())) {
      return wrong(CheckVerdict::wrong,
                   name_of_row(b, h, i) +
                       ": outside the range of the values that it is a "
                       "weighted mean of");
    }
  }
  return std::nullopt;
}

CheckReport check_output(const TensorLayout& tensor,
                         const AttentionShape& shape, const Truth& truth,
                         const Envelope& envelope, const ValueBounds* bounds,
                         std::span<const std::byte> output, int num_threads) {
  if (static_cast<int64_t>(output.size()) != tensor.allocation_bytes) {
    return wrong(CheckVerdict::wrong,
                 fmt::format("the output has {} bytes, not {}", output.size(),
                             tensor.allocation_bytes));
  }
  if (const int64_t damaged = find_damaged_guard(tensor, output);
      damaged >= 0) {
    return wrong(
        CheckVerdict::out_of_bounds,
        fmt::format("wrote outside the output: byte {} from the start of "
                    "element [0,0,0,0]; shape ({}, {}, {}, {}), strides "
                    "({}, {}, {}, 1) elements",
                    damaged - tensor.offset_bytes, tensor.shape[0],
                    tensor.shape[1], tensor.shape[2], tensor.shape[3],
                    tensor.strides[0], tensor.strides[1], tensor.strides[2]));
  }
  std::vector<std::optional<CheckReport>> found(shape.B * shape.Hq);
  in_parallel(num_threads, found.size(), [&](std::size_t plane) {
    const auto at = static_cast<int64_t>(plane);
    found[plane] = look_at_rows(tensor, shape, bounds, at / shape.Hq,
                                at % shape.Hq, output);
  });
  for (auto& each : found) {
    if (each) return std::move(*each);
  }
  std::vector<uint16_t> row(shape.D);
  std::vector<float> compared(truth.rows.size() * shape.D);
  for (std::size_t r = 0; r < truth.rows.size(); ++r) {
    const CheckedRow& each = truth.rows[r];
    std::memcpy(
        row.data(),
        output.data() + row_offset_bytes(tensor, each.b, each.head, each.i),
        row.size() * sizeof(uint16_t));
    vector_ops().floats_of_bf16(row.data(), shape.D, &compared[r * shape.D]);
  }
  std::vector<GroupErrors> errors(truth.groups.size());
  add_errors(truth, 0, compared, errors);
  return envelope.judge(truth, errors);
}

AttentionCase::AttentionCase(GateCase gate_case, uint64_t seed)
    : case_(std::move(gate_case)),
      shape_(from_shape(case_.shape)),
      generator_(shape_, case_.input, seed),
      tensors_(make_layouts(shape_, case_.layout)) {
  MeasuredTruth measured =
      measure(generator_, choose_rows(shape_, kMaxCheckedKeyRows, seed),
              honest_family());
  truth_ = std::move(measured.truth);
  family_errors_ = std::move(measured.errors);
  envelope_ = Envelope(truth_.groups, family_errors_);
  if (static_cast<int64_t>(truth_.rows.size()) < shape_.num_rows()) {
    bounds_.emplace_back(generator_);
  }
}

CheckReport AttentionCase::leave_one_out(std::size_t member) const {
  const Envelope others(truth_.groups, family_errors_,
                        static_cast<int>(member));
  return others.judge(truth_, family_errors_.at(member));
}

void AttentionCase::write(std::size_t index,
                          std::span<std::byte> allocation) const {
  write_tensor(generator_, tensors_[index], index, allocation);
}

CheckReport AttentionCase::check(std::span<const std::byte> output) const {
  CheckReport report =
      check_output(tensors_[kOutput], shape_, truth_, envelope_,
                   bounds_.empty() ? nullptr : bounds_.data(), output);
  if (!report.message.empty()) {
    report.message = case_.label() + ": " + report.message;
  }
  return report;
}

}  // namespace evoke::attention
