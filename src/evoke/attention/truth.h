// Makes the truth of a case from its inputs, and measures forms against it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "evoke/attention/gate.h"
#include "evoke/attention/honest_family.h"
#include "evoke/attention/inputs.h"

namespace evoke::attention {

// Sum of visible keys over the rows that are compared: about 0.4 us each with
// the family, 0.05 us without. Cases beyond it compare a random sample.
inline constexpr int64_t kMaxCheckedKeyRows = 600'000;

// The rows to compare: all of them within the budget, else a sample drawn
// with `seed` in which every (batch, head) comes before any comes twice, last
// rows first.
std::vector<CheckedRow> choose_rows(const AttentionShape& shape,
                                    int64_t max_key_rows, uint64_t seed);

struct MeasuredTruth {
  Truth truth;
  // Errors per form and group, in the order of `forms`.
  std::vector<std::vector<GroupErrors>> errors;
};

// float64 answers of `rows`, and the errors of `forms` (rounded to bfloat16)
// in them. One (b, kv_head) plane is in memory at a time. Thread-safe.
MeasuredTruth measure(const InputGenerator& generator,
                      std::vector<CheckedRow> rows,
                      std::span<const NamedForm> forms);

}  // namespace evoke::attention
