// Where the running program lies.
#pragma once

#include <string>

namespace evoke {

// The executable's real path; empty where the system does not tell.
std::string program_path();

}  // namespace evoke
