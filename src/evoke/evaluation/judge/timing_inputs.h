// The copies of one timed shape's inputs, in memory that every arm of every
// race shares: the same pages for candidate, reference and baselines.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/core/problem.h"
#include "evoke/evaluation/judge/call_memory.h"
#include "evoke/evaluation/protocol/messages.h"
#include "evoke/evaluation/protocol/shared_memory.h"

namespace evoke::judge {

class TimingInputs {
 public:
  struct Options {
    int64_t total_bytes = int64_t{256} << 20;
    int max_copies = 1024;
    int num_threads = 1;  // that write them
    uint64_t seed = 0;
  };
  // Memory for them; fill() writes them.
  static Result<std::shared_ptr<TimingInputs>> make(const Problem& problem,
                                                    const Shape& shape,
                                                    const Options& options);
  // The same copies in the same memory, with a rotation of their own: another
  // device's caches know nothing of what this one has read.
  std::shared_ptr<TimingInputs> for_another_device(uint64_t seed) const;

  // Writes all copies and finds their right answers, the first time. Before
  // anything looks at the memory; takes seconds for long prefills.
  void fill();
  bool filled() const { return copies_->filled; }

  const TimingSet& set() const { return *copies_->set; }
  const Shape& shape() const { return set().shape(); }
  int num_copies() const { return set().num_copies(); }
  const protocol::SharedMemory& memory() const { return copies_->memory; }
  // Of the copy's input tensors in the buffer; outputs are left at -1.
  std::vector<int64_t> offsets_of(int copy) const;

  // Thread-safe, like what follows. Looks at an answer that was right before,
  // whoever gave it, no closer than that it is the same. `hash` is of all of
  // `output`, always made in the same way.
  CheckReport check(int copy, std::span<const std::byte> output,
                    std::string hash, int num_threads);

  // Whether check() would look no closer.
  bool knows(int copy, const std::string& hash) const;

  // The next `count` places of a rotation over all copies that goes on
  // through all races: a place comes back only after all others. The copies
  // stand in an order of their own, secret and random.
  std::vector<int> next_copies(int count);
  // Where a copy stands in that order.
  int place_of(int copy) const {
    return places_[static_cast<std::size_t>(copy)];
  }

 private:
  // What the inputs of several devices have in common.
  struct Copies {
    std::shared_ptr<const TimingSet> set;
    PackedLayout packed;  // of one
    protocol::SharedMemory memory;
    int num_threads = 1;
    std::once_flag once;
    std::atomic<bool> filled = false;
  };
  TimingInputs(std::shared_ptr<Copies> copies, uint64_t seed);

  std::shared_ptr<Copies> copies_;
  std::vector<int> order_;   // copies
  std::vector<int> places_;  // of copies in `order_`
  std::atomic<uint64_t> next_{0};
  mutable std::mutex mutex_;                     // guards what follows
  std::set<std::pair<int, std::string>> right_;  // copies, hashes of answers
};

}  // namespace evoke::judge
