#include "evoke/cli/kernel_file.h"

#include "evoke/cli/commands.h"
#include "evoke/core/kernel_source.h"

namespace evoke::cli {

KernelFile read_kernel_file(const std::string& path) {
  const KernelSource source = value_or_throw(KernelSource::read(path));
  return {path, source.text(), std::string(to_string(source.dialect()))};
}

}  // namespace evoke::cli
