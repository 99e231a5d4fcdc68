#include "evoke/devices/openers.h"

namespace evoke {
namespace {

constexpr const char* kAbsent =
    "the CUDA device was not built; use --device cpu";

}  // namespace

Result<Device> open_cuda_device(const DeviceOptions&) {
  return absent(kAbsent);
}

DeviceStatus probe_cuda_device() { return {"cuda", false, kAbsent}; }

void show_only_gpu(const std::string& /*uuid*/) {}

std::vector<std::string> cuda_folders() { return {}; }

void look_ahead_for_cuda(const std::string&) {}

}  // namespace evoke
