#include "evoke/cli/kernel_file.h"

#include "evoke/cli/commands.h"
#include "evoke/core/kernel_source.h"

namespace evoke::cli {

KernelFile read_kernel_file(const std::string& path) {
  const KernelSource source = value_or_throw(KernelSource::read(path));
  return {path, source.text(), std::string(to_string(source.dialect()))};
}

KernelFile read_kernel_file(const std::string& path,
                            const std::string& device) {
  KernelFile file = read_kernel_file(path);
  if (device.empty()) return file;
  if (kind_of_device(device) != kind_of_device(file.device)) {
    throw UsageError("--device " + device + " does not run " + path + "; " +
                     file.device + " does");
  }
  file.device = device;
  return file;
}

}  // namespace evoke::cli
