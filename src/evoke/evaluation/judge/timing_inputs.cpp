#include "evoke/evaluation/judge/timing_inputs.h"

#include <numeric>
#include <utility>

#include "evoke/base/parallel.h"
#include "evoke/base/rng.h"

namespace evoke::judge {

TimingInputs::TimingInputs(std::shared_ptr<const TimingSet> set,
                           PackedLayout packed,
                           std::shared_ptr<const protocol::SharedMemory> memory,
                           uint64_t seed)
    : set_(std::move(set)),
      packed_(std::move(packed)),
      memory_(std::move(memory)),
      order_(static_cast<std::size_t>(set_->num_copies())),
      places_(order_.size()) {
  std::iota(order_.begin(), order_.end(), 0);
  Rng(seed).fork("order").shuffle(order_);
  for (std::size_t i = 0; i < order_.size(); ++i) {
    places_[static_cast<std::size_t>(order_[i])] = static_cast<int>(i);
  }
}

Result<std::shared_ptr<TimingInputs>> TimingInputs::make(
    const Problem& problem, const Shape& shape, const Options& options) {
  auto set = problem.prepare_timing(shape, options.total_bytes,
                                    options.max_copies, options.seed);
  const auto& layouts = set->tensors();
  PackedLayout packed = pack(layouts, problem.signature(), /*outputs=*/false);
  const int64_t num_copies = set->num_copies();
  auto memory = protocol::SharedMemory::create(packed.total_bytes * num_copies,
                                               /*read_only_for_others=*/true);
  if (!memory) return error_of(memory);
  in_parallel(
      options.num_threads, static_cast<std::size_t>(num_copies),
      [&](std::size_t piece) {
        const int copy = static_cast<int>(piece);
        for (std::size_t i = 0; i < layouts.size(); ++i) {
          if (packed.offsets[i] < 0) continue;
          const int64_t offset = copy * packed.total_bytes + packed.offsets[i];
          set->write(copy, i,
                     memory->bytes().subspan(static_cast<std::size_t>(offset),
                                             static_cast<std::size_t>(
                                                 layouts[i].allocation_bytes)));
        }
        // Checks come in the middle of timing: they should not have to wait.
        set->find_truth(copy);
      });
  return std::shared_ptr<TimingInputs>(new TimingInputs(
      std::move(set), std::move(packed),
      std::make_shared<const protocol::SharedMemory>(std::move(*memory)),
      options.seed));
}

std::shared_ptr<TimingInputs> TimingInputs::for_another_device(
    uint64_t seed) const {
  return std::shared_ptr<TimingInputs>(
      new TimingInputs(set_, packed_, memory_, seed));
}

std::vector<int64_t> TimingInputs::offsets_of(int copy) const {
  std::vector<int64_t> offsets = packed_.offsets;
  for (int64_t& offset : offsets) {
    if (offset >= 0) offset += copy * packed_.total_bytes;
  }
  return offsets;
}

CheckReport TimingInputs::check(int copy, std::span<const std::byte> output,
                                std::string hash, int num_threads) {
  std::pair answer{copy, std::move(hash)};
  {
    const std::lock_guard lock(mutex_);
    if (right_.contains(answer)) {
      CheckReport right;
      right.verdict = CheckVerdict::right;
      return right;
    }
  }
  CheckReport report = set_->check(copy, output, num_threads);
  if (report.verdict == CheckVerdict::right) {
    const std::lock_guard lock(mutex_);
    right_.insert(std::move(answer));
  }
  return report;
}

std::vector<int> TimingInputs::next_copies(int count) {
  const uint64_t first = next_.fetch_add(static_cast<uint64_t>(count));
  std::vector<int> copies;
  for (int i = 0; i < count; ++i) {
    copies.push_back(
        order_[(first + static_cast<uint64_t>(i)) % order_.size()]);
  }
  return copies;
}

}  // namespace evoke::judge
