#include "evoke/evaluation/judge/free_memory.h"

#include <unistd.h>

#include <cstdio>
#include <string>

#include "evoke/base/fd.h"

namespace evoke::judge {

int64_t free_memory_bytes() {
  // Linux counts what it could take back from its file buffers as well.
  if (const auto text = read_file("/proc/meminfo")) {
    const std::size_t at = text->find("MemAvailable:");
    long long kilobytes = 0;
    if (at != std::string::npos &&
        std::sscanf(text->c_str() + at, "MemAvailable: %lld", &kilobytes) ==
            1) {
      return kilobytes << 10;
    }
  }
#ifdef _SC_PHYS_PAGES
  // Half of all there is, where nothing better is known.
  return static_cast<int64_t>(::sysconf(_SC_PHYS_PAGES)) *
         ::sysconf(_SC_PAGESIZE) / 2;
#else
  return 0;
#endif
}

}  // namespace evoke::judge
