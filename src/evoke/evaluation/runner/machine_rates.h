// How much this machine can read and multiply at best: the roof that no
// kernel can break through. Read-only streams and register-only arithmetic,
// one thread per core, the best of several tries.
#pragma once

#include "evoke/base/error.h"
#include "evoke/evaluation/protocol/messages.h"

namespace evoke::runner {

Result<protocol::MachineRates> measure_machine(
    const protocol::Measure& request);

}  // namespace evoke::runner
