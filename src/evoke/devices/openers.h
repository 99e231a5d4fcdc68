// What the folder of each device (or none/ in its place) defines.
#pragma once

#include <string>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/devices/device.h"
#include "evoke/devices/registry.h"

namespace evoke {

Result<Device> open_cpu_device(const DeviceOptions& options);
DeviceStatus probe_cpu_device();

Result<Device> open_cuda_device(const DeviceOptions& options);
DeviceStatus probe_cuda_device();
std::vector<std::string> cuda_folders();
void show_only_gpu(const std::string& uuid);
void look_ahead_for_cuda(const std::string& selector);

Result<Device> open_metal_device(const DeviceOptions& options);
DeviceStatus probe_metal_device();

}  // namespace evoke
