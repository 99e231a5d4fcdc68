// What a kernel's PTX says: text that the compiler wrote from the finished
// program, in which no macro hides anything. Inline assembly stands in it word
// for word.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "evoke/base/error.h"

namespace evoke::cuda {

// What no kernel may do. An error names the instruction, or the variable in
// global memory that code uses. `waiting`: kernels (as entry points) that start
// before their predecessor has ended and therefore must contain
// griddepcontrol.wait.
Result<void> check_ptx(std::string_view ptx,
                       const std::set<std::string>& waiting);

}  // namespace evoke::cuda
