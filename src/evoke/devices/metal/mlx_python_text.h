// The part of an exported module that is the same for every kernel.
#pragma once

#include <string_view>

namespace evoke::metal {

extern const std::string_view kMlxPythonRuntime;

}  // namespace evoke::metal
