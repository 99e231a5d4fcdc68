// One of several searches that run side by side and exchange elites.
#pragma once

#include <cstdint>

#include "evoke/evolution/archive.h"

namespace evoke {

struct Island {
  Archive archive;
  int64_t quiet = 0;  // outcomes of its candidates since a cell changed
  int restarts = 0;
};

}  // namespace evoke
