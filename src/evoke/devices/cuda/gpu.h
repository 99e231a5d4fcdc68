// One GPU of this machine: which it is and what it can do.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "evoke/core/launch_plan.h"
#include "evoke/devices/cuda/driver_api.h"
#include "evoke/devices/cuda/occupancy.h"
#include "evoke/devices/device.h"
#include "evoke/devices/registry.h"

namespace evoke::cuda {

struct Gpu {
  DeviceNumber number = 0;
  int index = 0;
  std::string name;  // "NVIDIA H200"
  std::string uuid;  // "GPU-8f2a...", "MIG-..." for a part of one
  int major = 9;
  int minor = 0;
  int driver_version = 0;  // 13000 is CUDA 13.0
  int64_t memory_bytes = 0;
  DeviceLimits limits;
  SmLimits sm;

  // "sm_90a": with all that only this one generation has.
  std::string architecture() const;
  DeviceInfo info() const;
};

// What compiles and checks plans where no GPU answers: an H200.
Gpu assumed_gpu();
// All that the driver shows. `absent`: none, with what to do.
Result<std::vector<Gpu>> list_gpus(const DriverApi& driver);
// As users name them, each alone.
std::vector<DeviceMember> members_of(const std::vector<Gpu>& gpus);
// The one named: "" (the first), an index, or (the beginning of) a UUID.
// `absent`: there is no such; names those that are there.
Result<Gpu> find_gpu(const DriverApi& driver, const std::string& selector);

}  // namespace evoke::cuda
