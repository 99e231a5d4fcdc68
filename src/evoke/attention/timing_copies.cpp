#include "evoke/attention/timing_copies.h"

#include <fmt/format.h>

#include <algorithm>

#include "evoke/attention/layouts.h"
#include "evoke/base/rng.h"

namespace evoke::attention {

TimingCopies::TimingCopies(const Shape& shape, int64_t total_bytes,
                           int max_copies, uint64_t seed)
    : shape_(shape),
      sizes_(from_shape(shape)),
      tensors_(make_layouts(sizes_, "timed")),
      rows_(choose_rows(sizes_, kMaxCheckedKeyRows, seed)) {
  int64_t copy_bytes = 0;
  for (const TensorLayout& tensor : tensors_) {
    if (tensor.name != "output") copy_bytes += tensor.allocation_bytes;
  }
  const int64_t wanted = (total_bytes + copy_bytes - 1) / copy_bytes;
  // Whole eights, so that a rotation divides into equal parts.
  const int64_t rounded = wanted > 8 ? (wanted + 7) / 8 * 8 : wanted;
  const int64_t count =
      std::clamp<int64_t>(rounded, 1, std::max(max_copies, 1));
  Rng rng = Rng(seed).fork("timing");
  for (int64_t c = 0; c < count; ++c) {
    copies_.push_back(
        std::make_unique<Copy>(InputGenerator(sizes_, "normal", rng.next())));
  }
}

void TimingCopies::write(int copy, std::size_t index,
                         std::span<std::byte> allocation) const {
  write_tensor(copies_.at(copy)->generator, tensors_.at(index), index,
               allocation);
}

const TimingCopies::Copy& TimingCopies::measured(int copy) const {
  Copy& mine = *copies_.at(copy);
  std::call_once(mine.once, [&] {
    mine.truth = measure(mine.generator, rows_, {}).truth;
    if (static_cast<int64_t>(rows_.size()) < sizes_.num_rows()) {
      mine.bounds.emplace_back(mine.generator);
    }
  });
  return mine;
}

const Envelope& TimingCopies::envelope() const {
  std::call_once(envelope_once_, [&] {
    const MeasuredTruth first =
        measure(copies_.front()->generator, rows_, honest_family());
    envelope_ = Envelope(first.truth.groups, first.errors, -1, kCopyMargin);
  });
  return envelope_;
}

void TimingCopies::find_truth(int copy) const {
  measured(copy);
  envelope();
}

CheckReport TimingCopies::check(int copy, std::span<const std::byte> output,
                                int num_threads) const {
  const Copy& mine = measured(copy);
  CheckReport report = check_output(
      tensors_[kOutput], sizes_, mine.truth, envelope(),
      mine.bounds.empty() ? nullptr : mine.bounds.data(), output, num_threads);
  if (!report.message.empty()) {
    report.message =
        fmt::format("{}, timed copy {}: {}", shape_.name, copy, report.message);
  }
  return report;
}

}  // namespace evoke::attention
