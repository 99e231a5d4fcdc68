#include "evoke/evaluation/judge/clock_probe.h"

#include <gtest/gtest.h>

#include "evoke/base/clock.h"

namespace evoke::judge {
namespace {

// The arithmetic is really done: 8,000 multiplications that wait for each
// other take 3 cycles each, and no processor runs at 20 GHz.
TEST(ClockProbe, DoesItsArithmetic) {
  const int64_t start_ns = monotonic_ns();
  const double ns = probe_clock_ns();
  const auto elapsed_ns = static_cast<double>(monotonic_ns() - start_ns);
  EXPECT_GT(ns, 8000 * 3 / 20.0);
  // It is the best of several tries, so all of them take longer.
  EXPECT_LT(2 * ns, elapsed_ns);
}

}  // namespace
}  // namespace evoke::judge
