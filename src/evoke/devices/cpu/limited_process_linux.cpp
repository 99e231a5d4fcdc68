#include <unistd.h>

#include <cstdio>
#include <sstream>
#include <string>

#include "evoke/base/fd.h"
#include "evoke/devices/cpu/limited_process.h"

namespace evoke::cpu {
namespace {

constexpr int kMaxDepth = 8;

int64_t resident_bytes(int pid) {
  const auto text = read_file("/proc/" + std::to_string(pid) + "/statm");
  long long total_pages = 0;
  long long resident_pages = 0;
  if (!text || std::sscanf(text->c_str(), "%lld %lld", &total_pages,
                           &resident_pages) != 2) {
    return 0;
  }
  return resident_pages * ::sysconf(_SC_PAGESIZE);
}

int64_t tree_bytes(int pid, int depth) {
  int64_t total = resident_bytes(pid);
  if (depth == kMaxDepth) return total;
  const std::string id = std::to_string(pid);
  const auto children = read_file("/proc/" + id + "/task/" + id + "/children");
  if (!children) return total;
  std::istringstream numbers(*children);
  for (int child = 0; numbers >> child;) total += tree_bytes(child, depth + 1);
  return total;
}

}  // namespace

int64_t tree_resident_bytes(int pid) { return tree_bytes(pid, 0); }

}  // namespace evoke::cpu
