#include <sched.h>

#include <algorithm>
#include <charconv>
#include <string_view>

#include "evoke/base/fd.h"
#include "evoke/devices/cpu/cpu_features.h"

namespace evoke::cpu {
namespace {

constexpr const char* kCacheFolder = "/sys/devices/system/cpu/cpu0/cache/index";

std::string line_of(const std::string& path) {
  const auto text = read_file(path);
  return text ? text->substr(0, text->find('\n')) : std::string();
}

// "2048K", "480M" or "65536"; 0 when it is none of these.
int64_t bytes_of(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return 0;
  const std::string_view unit = text.substr(end - text.data());
  if (unit == "K") return value << 10;
  if (unit == "M") return value << 20;
  return unit.empty() ? value : 0;
}

}  // namespace

std::string cpu_name() {
  const auto text = read_file("/proc/cpuinfo");
  constexpr std::string_view kKey = "model name";
  const std::size_t at = text ? text->find(kKey) : std::string::npos;
  if (at == std::string::npos) return "processor";
  const std::size_t begin = text->find_first_not_of(" \t:", at + kKey.size());
  return text->substr(begin, text->find('\n', begin) - begin);
}

CacheSizes cache_sizes() {
  CacheSizes sizes;
  int64_t deepest = 0;
  for (int index = 0; index < 8; ++index) {
    const std::string folder = kCacheFolder + std::to_string(index) + "/";
    const int64_t bytes = bytes_of(line_of(folder + "size"));
    const int64_t level = bytes_of(line_of(folder + "level"));
    if (bytes <= 0 || line_of(folder + "type") == "Instruction") continue;
    if (level == 2) sizes.l2_bytes = bytes;
    if (level >= deepest) {
      deepest = level;
      sizes.last_level_bytes = bytes;
    }
  }
  return sizes;
}

std::vector<int> allowed_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cores;
  if (::sched_getaffinity(0, sizeof(set), &set) == 0) {
    for (int core = 0; core < CPU_SETSIZE; ++core) {
      if (CPU_ISSET(core, &set)) cores.push_back(core);
    }
  }
  if (cores.empty()) cores.push_back(0);
  return cores;
}

void bind_thread(const std::vector<int>& cores) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int core : cores) CPU_SET(core, &set);
  // Refused only when the cores were taken away since: then any core will do.
  (void)::sched_setaffinity(0, sizeof(set), &set);
}

}  // namespace evoke::cpu
