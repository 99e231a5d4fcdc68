#include "bench/baselines/contest.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <stdexcept>
#include <thread>

#include "evoke/base/clock.h"
#include "evoke/base/rng.h"

namespace evoke::bench {
namespace {

constexpr std::size_t kPageBytes = 4096;

double processor_ms() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e3 +
         static_cast<double>(time.tv_nsec) * 1e-6;
}

void must(const Result<void>& result) {
  if (!result) throw std::runtime_error(result.error().message);
}

std::vector<CallId> next_calls(Contestant& contestant, int count, bool cold) {
  std::vector<CallId> calls;
  for (int i = 0; i < count; ++i) {
    calls.push_back(contestant.calls[cold ? contestant.next : 0]);
    contestant.next = (contestant.next + 1) % contestant.calls.size();
  }
  return calls;
}

// Milliseconds of the whole block.
double time_block(Contestant& contestant, const ContestOptions& options) {
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
  must(
      contestant.baseline->run(next_calls(contestant, 1, options.cold), false));
  const std::vector<CallId> calls =
      next_calls(contestant, contestant.block_calls, options.cold);
  const double processor = processor_ms();
  const double start = monotonic_ms();
  must(contestant.baseline->run(calls, false));
  const double elapsed = monotonic_ms() - start;
  contestant.ms_per_call.push_back(elapsed / contestant.block_calls);
  contestant.cores_per_call.push_back((processor_ms() - processor) / elapsed);
  return elapsed;
}

}  // namespace

Memory::Memory(const std::vector<TensorLayout>& layouts) : layouts_(layouts) {
  for (const TensorLayout& layout : layouts_) {
    const auto bytes = static_cast<std::size_t>(layout.allocation_bytes);
    const std::size_t pages = (bytes + kPageBytes - 1) / kPageBytes;
    blocks_.emplace_back(static_cast<std::byte*>(
        std::aligned_alloc(kPageBytes, pages * kPageBytes)));
    if (blocks_.back() == nullptr) throw std::bad_alloc();
  }
}

void Memory::Free::operator()(std::byte* block) const { std::free(block); }

std::span<std::byte> Memory::allocation(std::size_t index) {
  return {blocks_[index].get(),
          static_cast<std::size_t>(layouts_[index].allocation_bytes)};
}

std::vector<BoundTensor> Memory::tensors() {
  std::vector<BoundTensor> tensors;
  for (std::size_t i = 0; i < layouts_.size(); ++i) {
    tensors.push_back(
        {blocks_[i].get() + layouts_[i].offset_bytes, layouts_[i]});
  }
  return tensors;
}

void race(std::vector<Contestant>& contestants, const ContestOptions& options) {
  // The first block of each is a warm-up and says how many calls fill one.
  for (Contestant& contestant : contestants) {
    contestant.block_calls = 1;
    double ms = 1e300;
    for (int i = 0; i < 3; ++i) {
      ms = std::min(ms, time_block(contestant, options));
      if (ms > 100) break;
    }
    contestant.block_calls =
        std::max(1, static_cast<int>(std::ceil(options.block_ms / ms)));
    contestant.ms_per_call.clear();
    contestant.cores_per_call.clear();
  }
  double spent_ms = 0;
  for (int round = 0;
       round < options.min_rounds ||
       (round < options.max_rounds && spent_ms < options.seconds * 1e3);
       ++round) {
    for (Contestant& contestant : contestants) {
      spent_ms += time_block(contestant, options);
    }
    for (auto it = contestants.rbegin(); it != contestants.rend(); ++it) {
      spent_ms += time_block(*it, options);
    }
  }
}

double median_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle]
                                : (values[middle - 1] + values[middle]) / 2;
}

Ratio ratio_of(const Contestant& slower, const Contestant& faster) {
  std::vector<double> logs;
  for (std::size_t i = 0; i < slower.ms_per_call.size(); ++i) {
    logs.push_back(std::log(slower.ms_per_call[i] / faster.ms_per_call[i]));
  }
  constexpr int kResamples = 2000;
  Rng rng(1);
  std::vector<double> medians;
  for (int i = 0; i < kResamples; ++i) {
    std::vector<double> sample;
    for (std::size_t j = 0; j < logs.size(); ++j) {
      sample.push_back(rng.pick(logs));
    }
    medians.push_back(median_of(std::move(sample)));
  }
  std::sort(medians.begin(), medians.end());
  return {std::exp(median_of(logs)), std::exp(medians[kResamples / 40]),
          std::exp(medians[kResamples - kResamples / 40 - 1])};
}

}  // namespace evoke::bench
