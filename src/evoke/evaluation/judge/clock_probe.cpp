#include "evoke/evaluation/judge/clock_probe.h"

#include <algorithm>
#include <cstdint>
#include <limits>

#include "evoke/base/clock.h"

namespace evoke::judge {
namespace {

constexpr int kTries = 5;
constexpr int kSteps = 8000;  // some 10 us

// Every step waits for the one before: nothing but the clock decides.
[[gnu::noinline]] uint64_t chain(uint64_t value) {
  for (int i = 0; i < kSteps; ++i) {
    value = value * 6364136223846793005U + 1442695040888963407U;
  }
  return value;
}

}  // namespace

double probe_clock_ns() {
  int64_t best_ns = std::numeric_limits<int64_t>::max();
  uint64_t value = 1;
  for (int i = 0; i < kTries; ++i) {
    const int64_t start_ns = monotonic_ns();
    value = chain(value);
    asm volatile("" : "+r"(value));
    best_ns = std::min(best_ns, monotonic_ns() - start_ns);
  }
  return static_cast<double>(best_ns);
}

}  // namespace evoke::judge
