// The shim's files as text, for the compiler's folder. Made from shim/*.h and
// kernel_abi.h at build time.
#pragma once

#include <string_view>
#include <vector>

namespace evoke::metal::host {

struct ShimFile {
  std::string_view path;  // "metal/host/shim/types.h", below evoke/devices/
  std::string_view text;
};

const std::vector<ShimFile>& shim_files();

}  // namespace evoke::metal::host
