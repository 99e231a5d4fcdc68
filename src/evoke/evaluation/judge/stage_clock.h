// Where the time of a judging goes: the stages of an outcome, and sums over
// scopes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "evoke/base/clock.h"
#include "evoke/core/outcome.h"

namespace evoke::judge {

class StageClock {
 public:
  StageClock(Outcome& outcome, Stage stage) : outcome_(outcome) {
    outcome_.stage = stage;
  }
  ~StageClock() { stop(); }
  StageClock(const StageClock&) = delete;
  StageClock& operator=(const StageClock&) = delete;

  void enter(Stage stage) {
    stop();
    outcome_.stage = stage;
  }

 private:
  void stop() {
    const double now_ms = monotonic_ms();
    outcome_.stage_ms[static_cast<std::size_t>(outcome_.stage)] +=
        now_ms - start_ms_;
    start_ms_ = now_ms;
  }
  Outcome& outcome_;
  double start_ms_ = monotonic_ms();
};

// Adds the time of its scope to a sum.
class ScopeTimer {
 public:
  explicit ScopeTimer(int64_t& sum_ns) : sum_ns_(sum_ns) {}
  ~ScopeTimer() { sum_ns_ += monotonic_ns() - begin_ns_; }
  ScopeTimer(const ScopeTimer&) = delete;
  ScopeTimer& operator=(const ScopeTimer&) = delete;

 private:
  int64_t& sum_ns_;
  int64_t begin_ns_ = monotonic_ns();
};

}  // namespace evoke::judge
