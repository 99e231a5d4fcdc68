// How much memory this machine could give now.
#pragma once

#include <cstdint>

namespace evoke::judge {

int64_t free_memory_bytes();  // 0: unknown

}  // namespace evoke::judge
