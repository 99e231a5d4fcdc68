// Where the programs under test lie: beside each other in the build tree.
#pragma once

#include <string>

namespace evoke::test {

// Set by tests/support/CMakeLists.txt through a generator expression.
inline std::string runner_path() { return EVOKE_RUNNER_PATH; }

}  // namespace evoke::test
