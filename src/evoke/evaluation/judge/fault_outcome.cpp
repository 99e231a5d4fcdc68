#include "evoke/evaluation/judge/fault_outcome.h"

namespace evoke::judge {

OutcomeKind outcome_of(RunnerFault::Kind kind) {
  switch (kind) {
    case RunnerFault::Kind::died:
    case RunnerFault::Kind::out_of_memory:
    case RunnerFault::Kind::garbage:
      return OutcomeKind::crashed;
    case RunnerFault::Kind::timed_out:
      return OutcomeKind::timed_out;
    case RunnerFault::Kind::refused:
    case RunnerFault::Kind::cancelled:
    case RunnerFault::Kind::unavailable:
      break;
  }
  return OutcomeKind::infrastructure_failed;
}

}  // namespace evoke::judge
