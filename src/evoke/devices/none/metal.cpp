#include "evoke/devices/openers.h"

namespace evoke {
namespace {

constexpr const char* kAbsent =
    "the Metal device was not built; use --device cpu";

}  // namespace

Result<Device> open_metal_device(const DeviceOptions&) {
  return absent(kAbsent);
}

DeviceStatus probe_metal_device() { return {"metal", false, kAbsent}; }

}  // namespace evoke
