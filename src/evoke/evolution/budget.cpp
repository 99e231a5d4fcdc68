#include "evoke/evolution/budget.h"

#include "evoke/base/error.h"

namespace evoke {

std::string_view to_string(StopReason reason) {
  switch (reason) {
    case StopReason::iterations:
      return "iterations";
    case StopReason::time:
      return "time";
    case StopReason::patience:
      return "patience";
    case StopReason::target:
      return "target";
    case StopReason::nothing_new:
      return "nothing new";
    case StopReason::no_founder:
      return "no founder";
    case StopReason::no_proposer:
      return "no proposer left";
    case StopReason::infrastructure:
      return "infrastructure";
    case StopReason::requested:
      break;
  }
  return "requested";
}

Budget::Budget(const BudgetConfig& config) : config_(config) {
  const bool usable = config.iterations >= 0 && config.time_s >= 0 &&
                      config.patience >= 0 && config.target_score >= 0;
  if (!usable) {
    throw UsageError(
        "[Budget] a limit is negative. Check [budget]; 0 means no limit.");
  }
}

std::optional<StopReason> Budget::exhausted(double elapsed_s,
                                            int64_t since_best,
                                            double best_fitness) const {
  if (config_.target_score > 0 && best_fitness >= config_.target_score) {
    return StopReason::target;
  }
  if (config_.time_s > 0 && !(elapsed_s < config_.time_s)) {
    return StopReason::time;
  }
  if (config_.patience > 0 && since_best >= config_.patience) {
    return StopReason::patience;
  }
  return std::nullopt;
}

}  // namespace evoke
