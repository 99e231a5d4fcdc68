#include "evoke/evaluation/judge/timing_inputs.h"

#include <numeric>
#include <utility>

#include "evoke/base/parallel.h"
#include "evoke/base/rng.h"

namespace evoke::judge {

TimingInputs::TimingInputs(std::shared_ptr<Copies> copies, uint64_t seed)
    : copies_(std::move(copies)),
      order_(static_cast<std::size_t>(num_copies())),
      places_(order_.size()) {
  std::iota(order_.begin(), order_.end(), 0);
  Rng(seed).fork("order").shuffle(order_);
  for (std::size_t i = 0; i < order_.size(); ++i) {
    places_[static_cast<std::size_t>(order_[i])] = static_cast<int>(i);
  }
}

Result<std::shared_ptr<TimingInputs>> TimingInputs::make(
    const Problem& problem, const Shape& shape, const Options& options) {
  auto copies = std::make_shared<Copies>();
  copies->set = problem.prepare_timing(shape, options.total_bytes,
                                       options.max_copies, options.seed);
  copies->packed =
      pack(copies->set->tensors(), problem.signature(), /*outputs=*/false);
  auto memory = protocol::SharedMemory::create(
      copies->packed.total_bytes * copies->set->num_copies(),
      /*read_only_for_others=*/true);
  if (!memory) return error_of(memory);
  copies->memory = std::move(*memory);
  copies->num_threads = options.num_threads;
  return std::shared_ptr<TimingInputs>(
      new TimingInputs(std::move(copies), options.seed));
}

void TimingInputs::fill() {
  Copies& copies = *copies_;
  const auto& layouts = set().tensors();
  const auto write = [&](int copy) {
    for (std::size_t i = 0; i < layouts.size(); ++i) {
      if (copies.packed.offsets[i] < 0) continue;
      const int64_t offset =
          copy * copies.packed.total_bytes + copies.packed.offsets[i];
      copies.set->write(
          copy, i,
          copies.memory.bytes().subspan(
              static_cast<std::size_t>(offset),
              static_cast<std::size_t>(layouts[i].allocation_bytes)));
    }
    // Checks come in the middle of timing: they should not have to wait.
    copies.set->find_truth(copy);
  };
  std::call_once(copies.once, [&] {
    in_parallel(copies.num_threads, static_cast<std::size_t>(num_copies()),
                [&](std::size_t copy) { write(static_cast<int>(copy)); });
    copies.filled = true;
  });
}

std::shared_ptr<TimingInputs> TimingInputs::for_another_device(
    uint64_t seed) const {
  return std::shared_ptr<TimingInputs>(new TimingInputs(copies_, seed));
}

std::vector<int64_t> TimingInputs::offsets_of(int copy) const {
  std::vector<int64_t> offsets = copies_->packed.offsets;
  for (int64_t& offset : offsets) {
    if (offset >= 0) offset += copy * copies_->packed.total_bytes;
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
  CheckReport report = set().check(copy, output, num_threads);
  if (report.verdict == CheckVerdict::right) {
    const std::lock_guard lock(mutex_);
    right_.insert(std::move(answer));
  }
  return report;
}

bool TimingInputs::knows(int copy, const std::string& hash) const {
  const std::lock_guard lock(mutex_);
  return right_.contains({copy, hash});
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
