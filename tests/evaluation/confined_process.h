// Runs a piece of code in a child process behind a runner's walls and tells
// how it ended.
#pragma once

#include <functional>
#include <optional>

#include "evoke/evaluation/runner/confinement.h"

namespace evoke::test {

struct ChildEnd {
  int exit_code = -1;
  int signal = 0;
};

// `attempt` gives the exit code. `before_seal` runs between enter() and
// seal(), where a device would be opened. No threads may run in the caller.
ChildEnd run_confined(
    const runner::ConfinementOptions& options,
    const std::function<int()>& attempt,
    const std::function<void()>& before_seal = [] {});

}  // namespace evoke::test
