#include "evoke/base/program_path.h"

#include <filesystem>
#include <system_error>

#ifdef __APPLE__
#include <mach-o/dyld.h>

#include <cstdint>
#endif

namespace evoke {

std::string program_path() {
  std::error_code error;
#ifdef __APPLE__
  uint32_t size = 0;
  ::_NSGetExecutablePath(nullptr, &size);
  std::string name(size, '\0');
  if (::_NSGetExecutablePath(name.data(), &size) != 0) return {};
  const auto path = std::filesystem::canonical(name.c_str(), error);
#else
  const auto path = std::filesystem::read_symlink("/proc/self/exe", error);
#endif
  return error ? std::string() : path.string();
}

}  // namespace evoke
