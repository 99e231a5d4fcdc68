#include <algorithm>
#include <thread>

#include "evoke/devices/cpu/cpu_features.h"

#if defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace evoke::cpu {

#if defined(__APPLE__)

std::string cpu_name() {
  char text[256] = {};
  std::size_t size = sizeof(text) - 1;
  if (::sysctlbyname("machdep.cpu.brand_string", text, &size, nullptr, 0) !=
      0) {
    return "processor";
  }
  return text;
}

CacheSizes cache_sizes() {
  CacheSizes sizes;
  int64_t bytes = 0;
  std::size_t size = sizeof(bytes);
  if (::sysctlbyname("hw.l2cachesize", &bytes, &size, nullptr, 0) == 0) {
    sizes.l2_bytes = bytes;
    sizes.last_level_bytes = bytes;
  }
  return sizes;
}

#else

std::string cpu_name() { return "processor"; }
CacheSizes cache_sizes() { return {}; }

#endif

std::vector<int> allowed_cores() {
  std::vector<int> cores;
  const unsigned count = std::max(1u, std::thread::hardware_concurrency());
  for (unsigned core = 0; core < count; ++core) {
    cores.push_back(static_cast<int>(core));
  }
  return cores;
}

void bind_thread(const std::vector<int>&) {}

}  // namespace evoke::cpu
