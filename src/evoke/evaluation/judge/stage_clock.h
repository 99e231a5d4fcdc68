// Writes into an outcome which stage was reached and how long each took.
#pragma once

#include <cstddef>

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

}  // namespace evoke::judge
