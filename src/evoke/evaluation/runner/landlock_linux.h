// Landlock (Linux 5.13 and later): a process gives up rights to files, TCP
// ports and signals, for itself and its children, for ever.
#pragma once

#include <string>
#include <vector>

#include "evoke/base/error.h"

namespace evoke::runner {

struct LandlockRules {
  std::vector<std::string> readable;  // read and execute; missing ones ignored
  std::vector<std::string> writable;  // and everything else
};

// The kernel's Landlock version, 0 where there is none.
int landlock_version();
// Applies to the calling thread and to those it starts later. Gives what was
// applied: "version 7: files, tcp, scope".
Result<std::string> restrict_files(const LandlockRules& rules);

}  // namespace evoke::runner
