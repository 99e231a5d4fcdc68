#include "evoke/cli/machine.h"

#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#ifdef __APPLE__
#include <sys/sysctl.h>
#endif

#include <ctime>
#include <fstream>
#include <thread>

namespace evoke::cli {
namespace {

std::string cpu_name() {
#ifdef __APPLE__
  char name[256] = {};
  std::size_t size = sizeof(name) - 1;
  if (::sysctlbyname("machdep.cpu.brand_string", name, &size, nullptr, 0) ==
      0) {
    return name;
  }
#endif
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) {
      return line.substr(line.find(':') + 2);
    }
  }
  return "unknown processor";
}

}  // namespace

std::string describe_machine() {
  utsname system{};
  uname(&system);
  const double gib = static_cast<double>(sysconf(_SC_PHYS_PAGES)) *
                     static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 30);
  return fmt::format("{}, {} cores, {:.0f} GiB, {} {}", cpu_name(),
                     std::thread::hardware_concurrency(), gib, system.sysname,
                     system.release);
}

std::string utc_time() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

}  // namespace evoke::cli
