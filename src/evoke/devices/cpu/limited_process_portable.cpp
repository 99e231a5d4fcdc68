#include "evoke/devices/cpu/limited_process.h"

namespace evoke::cpu {

int64_t tree_resident_bytes(int) { return 0; }

}  // namespace evoke::cpu
