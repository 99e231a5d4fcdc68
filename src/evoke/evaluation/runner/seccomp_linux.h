// System call filters, applied to all threads of the process at once.
#pragma once

#include <string>

#include "evoke/base/error.h"

namespace evoke::runner {

// Only what computing and answering needs; anything else ends the process
// with SIGSYS. Gives "allow-list of N calls".
Result<std::string> allow_computing_only();
// Everything but network, tracing, name spaces, mounts, kernel modules and
// the like, which fail with EPERM. `may_start_programs`: execve is left.
Result<std::string> deny_reaching_out(bool may_start_programs);

}  // namespace evoke::runner
