// Time, behind an interface where a component must be testable without it.
#pragma once

#include <cstdint>
#include <string>

namespace evoke {

// Nanoseconds of a clock that is never adjusted (CLOCK_MONOTONIC_RAW where
// there is one). For intervals only.
int64_t monotonic_ns();
inline double monotonic_ms() {
  return static_cast<double>(monotonic_ns()) * 1e-6;
}
// "2026-11-23T10:41:07Z", for records read by people.
std::string utc_now();

}  // namespace evoke
