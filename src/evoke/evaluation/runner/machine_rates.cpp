#include "evoke/evaluation/runner/machine_rates.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <thread>
#include <vector>

#include "evoke/base/clock.h"
#include "evoke/evaluation/protocol/shared_memory.h"
#include "evoke/evaluation/runner/arithmetic_probe.h"

namespace evoke::runner {
namespace {

constexpr int kTries = 5;
constexpr double kLoopSeconds = 0.02;

using Words = uint64_t __attribute__((vector_size(64), aligned(64)));

// Reads everything once, as so many streams side by side: one stream waits
// for a page's end again and again, where a hardware prefetcher stops.
template <std::size_t kStreams>
__attribute__((noinline)) uint64_t read_once(std::span<const std::byte> bytes) {
  constexpr std::size_t kAhead = 1024 / sizeof(Words);
  const auto* words = reinterpret_cast<const Words*>(bytes.data());
  const std::size_t length = bytes.size() / sizeof(Words) / kStreams;
  Words sums[kStreams] = {};
  for (std::size_t i = 0; i < length; ++i) {
    for (std::size_t s = 0; s < kStreams; ++s) {
      const Words* word = words + s * length + i;
      __builtin_prefetch(word + kAhead);
      sums[s] ^= *word;
    }
  }
  uint64_t sum = 0;
  for (const Words& each : sums) {
    for (int i = 0; i < 8; ++i) sum ^= each[i];
  }
  return sum;
}

// Runs `work(thread)` in every thread at once; the wall time of the slowest,
// from a common start.
double seconds_together(int num_threads, const std::function<void(int)>& work) {
  std::atomic<int> waiting{0};
  std::atomic<bool> go{false};
  std::vector<std::thread> threads;
  for (int t = 1; t < num_threads; ++t) {
    threads.emplace_back([&, t] {
      waiting.fetch_add(1);
      while (!go.load(std::memory_order_acquire)) std::this_thread::yield();
      work(t);
    });
  }
  while (waiting.load() < num_threads - 1) std::this_thread::yield();
  const int64_t start_ns = monotonic_ns();
  go.store(true, std::memory_order_release);
  work(0);
  for (std::thread& thread : threads) thread.join();
  return static_cast<double>(monotonic_ns() - start_ns) * 1e-9;
}

using ReadOnce = uint64_t (*)(std::span<const std::byte>);

double best_read_rate(int num_threads, int64_t footprint_bytes,
                      std::span<const std::byte> bytes, ReadOnce read) {
  const std::size_t share =
      bytes.size() / static_cast<std::size_t>(num_threads) / 256 * 256;
  // Small footprints are read several times, so that starting is not timed.
  const int64_t repeats =
      std::max<int64_t>(1, (int64_t{64} << 20) / footprint_bytes);
  std::vector<uint64_t> sums(static_cast<std::size_t>(num_threads) * 8);
  double best = 0;
  for (int i = 0; i < kTries; ++i) {
    const double seconds = seconds_together(num_threads, [&](int thread) {
      const auto index = static_cast<std::size_t>(thread);
      for (int64_t r = 0; r < repeats; ++r) {
        sums[index * 8] += read(bytes.subspan(index * share, share));
      }
    });
    const double total =
        static_cast<double>(share) * num_threads * static_cast<double>(repeats);
    best = std::max(best, total / seconds);
  }
  return best;
}

double best_flops(int num_threads, const ArithmeticProbe& probe) {
  int64_t rounds = 1000;
  for (;;) {
    const int64_t start_ns = monotonic_ns();
    probe.run(rounds);
    const double seconds =
        static_cast<double>(monotonic_ns() - start_ns) * 1e-9;
    if (seconds > kLoopSeconds / 4) {
      rounds = static_cast<int64_t>(static_cast<double>(rounds) * kLoopSeconds /
                                    seconds) +
               1;
      break;
    }
    rounds *= 2;
  }
  double best = 0;
  for (int i = 0; i < kTries; ++i) {
    const double seconds =
        seconds_together(num_threads, [&](int) { probe.run(rounds); });
    best = std::max(best, probe.flops_per_round * static_cast<double>(rounds) *
                              num_threads / seconds);
  }
  return best;
}

}  // namespace

Result<protocol::MachineRates> measure_machine(
    const protocol::Measure& request) {
  const int num_threads =
      std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  auto memory = protocol::MappedMemory::anonymous(request.footprint_bytes);
  if (!memory) return error_of(memory);
  std::memset(memory->bytes().data(), 1, memory->bytes().size());
  protocol::MachineRates rates;
  for (const ReadOnce read : {read_once<1>, read_once<8>}) {
    rates.read_bytes_per_s =
        std::max(rates.read_bytes_per_s,
                 best_read_rate(num_threads, request.footprint_bytes,
                                memory->bytes(), read));
  }
  if (request.flops) {
    rates.bf16_flops = best_flops(num_threads, bf16_probe());
    rates.fp32_flops = best_flops(num_threads, fp32_probe());
  }
  return rates;
}

}  // namespace evoke::runner
