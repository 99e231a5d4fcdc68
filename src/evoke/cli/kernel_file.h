// A kernel file named on the command line.
#pragma once

#include <string>

namespace evoke::cli {

struct KernelFile {
  std::string path;
  std::string text;
  std::string device;  // that runs this dialect
};

// Throws StartupError: unreadable, not a kernel file, a plan that is wrong.
KernelFile read_kernel_file(const std::string& path);
// To be used on `device`, when that is not empty. Throws UsageError: it does
// not run this dialect.
KernelFile read_kernel_file(const std::string& path, const std::string& device);

}  // namespace evoke::cli
