// The devices this build knows by name.
#pragma once

#include <string>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/devices/device.h"

namespace evoke {

// "cpu", "cuda", "metal"; "cuda:1" or "cuda:GPU-8f2a..." where there are
// several. `absent`: not built, or no such device answers; the message says
// which and what to do.
Result<Device> open_device(const std::string& name,
                           const DeviceOptions& options);
// For a library that opens the first device that it finds: from here on this
// process finds the one named ("cuda:GPU-8f2a...", by its UUID) and no other.
// Before anything has opened one; names that say less change nothing.
void show_only_device(const std::string& name);
// Before a process that only compiles closes its walls: looks at the device,
// for a later open_device() of the same name.
void look_ahead(const std::string& name);
// Folders outside the system's own that a device's compiler is opened from.
std::vector<std::string> device_folders(const std::string& name);
// One of several of a kind: "cuda:1", "NVIDIA H200, ... (GPU-8f2a...)".
struct DeviceMember {
  std::string name;
  std::string description;
};
// What each known device says about this machine, for `evoke doctor`.
struct DeviceStatus {
  std::string kind;
  bool available = false;
  std::string description;  // its name, or why not and what to do
  // It runs kernels to see whether they are right, at a speed that says
  // nothing; "auto" never means it.
  bool checks_only = false;
  // Where devices of this kind are counted: all of them.
  std::vector<DeviceMember> members = {};
};
std::vector<DeviceStatus> probe_devices();

}  // namespace evoke
