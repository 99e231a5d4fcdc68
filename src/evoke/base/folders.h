// Where programs keep what can be made again.
#pragma once

#include <string>

namespace evoke {

// $XDG_CACHE_HOME/evoke, or ~/.cache/evoke, or a folder of this user's in /tmp.
std::string cache_home();

}  // namespace evoke
