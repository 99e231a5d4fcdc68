#include "evoke/devices/registry.h"

#include <array>
#include <string_view>

#include "evoke/base/spelling.h"
#include "evoke/devices/openers.h"

namespace evoke {
namespace {

struct DeviceKind {
  std::string_view name;
  Result<Device> (*open)(const DeviceOptions&);
  DeviceStatus (*probe)();
};

constexpr std::array<DeviceKind, 3> kKinds{{
    {"cpu", open_cpu_device, probe_cpu_device},
    {"cuda", open_cuda_device, probe_cuda_device},
    {"metal", open_metal_device, probe_metal_device},
}};

std::string selector_of(const std::string& name) {
  const std::size_t colon = name.find(':');
  return colon == std::string::npos ? "" : name.substr(colon + 1);
}

}  // namespace

Result<Device> open_device(const std::string& name,
                           const DeviceOptions& options) {
  const std::string kind = kind_of_device(name);
  DeviceOptions chosen = options;
  if (name.find(':') != std::string::npos) chosen.selector = selector_of(name);
  std::vector<std::string> names;
  for (const DeviceKind& known : kKinds) {
    if (known.name == kind) return known.open(chosen);
    names.emplace_back(known.name);
  }
  return absent("no device is called '" + kind + "'" +
                did_you_mean(kind, names) + "; there are cpu, cuda and metal");
}

void show_only_device(const std::string& name) {
  if (kind_of_device(name) == "cuda") show_only_gpu(selector_of(name));
}

void look_ahead(const std::string& name) {
  if (kind_of_device(name) == "cuda") look_ahead_for_cuda(selector_of(name));
}

std::vector<std::string> device_folders(const std::string& name) {
  if (kind_of_device(name) == "cuda") return cuda_folders();
  return {};
}

std::vector<DeviceStatus> probe_devices() {
  std::vector<DeviceStatus> statuses;
  for (const DeviceKind& known : kKinds) statuses.push_back(known.probe());
  return statuses;
}

}  // namespace evoke
