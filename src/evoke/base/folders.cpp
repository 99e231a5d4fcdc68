#include "evoke/base/folders.h"

#include <unistd.h>

#include <cstdlib>

namespace evoke {

std::string cache_home() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache && *cache == '/') return std::string(cache) + "/evoke";
  const char* home = std::getenv("HOME");
  if (home && *home) return std::string(home) + "/.cache/evoke";
  return "/tmp/evoke-" + std::to_string(::getuid());
}

}  // namespace evoke
