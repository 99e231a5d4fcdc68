// When a search has had enough. Time is passed in, with each outcome.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

#include "evoke/core/run_config.h"

namespace evoke {

enum class StopReason {
  iterations,      // the proposals of the budget are used up
  time,            // so is its time
  patience,        // too long without a better kernel
  target,          // a confirmed fitness reached the target
  nothing_new,     // the proposer finds no genome that was not judged
  no_founder,      // no seed works here
  no_proposer,     // the proposers have nothing left to give
  infrastructure,  // one failure of the machine after the other
  requested,       // from outside
};
std::string_view to_string(StopReason reason);

class Budget {
 public:
  // Throws UsageError on negative limits.
  explicit Budget(const BudgetConfig& config);

  bool allows_proposal(int64_t used) const {
    return config_.iterations == 0 || used < config_.iterations;
  }
  // Infinite without a limit.
  double time_left_s(double elapsed_s) const {
    return config_.time_s > 0 ? config_.time_s - elapsed_s
                              : std::numeric_limits<double>::infinity();
  }
  // `since_best`: iterations judged since the best changed; `best_fitness`: 0
  // while there is none.
  std::optional<StopReason> exhausted(double elapsed_s, int64_t since_best,
                                      double best_fitness) const;
  const BudgetConfig& config() const { return config_; }

 private:
  BudgetConfig config_;
};

}  // namespace evoke
