#include "evoke/cli/device_choice.h"

#include <fmt/format.h>

#include <sstream>
#include <utility>

#include "evoke/core/kernel_source.h"

namespace evoke::cli {
namespace {

constexpr const char* kCuda = "cuda";
constexpr const char* kAllGpus = "cuda:all";

bool names_several(const std::string& asked) {
  return asked.find(',') != std::string::npos || asked == kAllGpus;
}

// Apart from its size and its driver: "NVIDIA H200".
std::string model_of(const std::string& device_name) {
  return device_name.substr(0, device_name.find(','));
}

}  // namespace

Result<std::string> choose_device(const std::string& asked) {
  if (names_several(asked)) {
    return failed("--device " + asked +
                  ": this takes one device; several are for a search "
                  "(evoke evolve)");
  }
  const std::string asked_kind = kind_of_device(asked);
  if (asked_kind != "auto" && !dialect_of_device(asked)) {
    return failed("--device " + asked +
                  ": use auto, cpu, cuda, cuda:NUMBER, cuda:UUID, metal or "
                  "metal:VERSION");
  }
  const std::vector<DeviceStatus> devices = probe_devices();
  if (asked != "auto") {
    for (const DeviceStatus& device : devices) {
      if (device.kind != asked_kind) continue;
      if (device.available) return asked;
      return failed("--device " + asked + ": " + device.description);
    }
    return failed("--device " + asked + ": this build has no such device");
  }
  // Metal on a Mac, CUDA where a GPU answers, else the processor.
  for (const char* kind : {"metal", "cuda", "cpu"}) {
    for (const DeviceStatus& device : devices) {
      if (device.kind == kind && device.available && !device.checks_only) {
        return device.kind;
      }
    }
  }
  for (const DeviceStatus& device : devices) {
    if (device.kind == "cpu") {
      return failed("no device works here: " + device.description +
                    "; evoke doctor says more");
    }
  }
  return failed("no device works here; evoke doctor says why");
}

Result<std::vector<std::string>> split_devices(
    const std::string& asked, const std::vector<DeviceStatus>& devices) {
  if (!names_several(asked)) return std::vector<std::string>{asked};
  std::vector<std::string> names;
  std::stringstream parts(asked);
  for (std::string part; std::getline(parts, part, ',');) {
    if (kind_of_device(part) != kCuda) {
      return failed(fmt::format(
          "--device {}: '{}' cannot be one of several; a search runs on "
          "several GPUs, as in cuda:0,cuda:1 or cuda:all",
          asked, part));
    }
    if (part != kAllGpus) {
      names.push_back(part);
      continue;
    }
    for (const DeviceStatus& device : devices) {
      if (device.kind != kCuda) continue;
      if (device.members.empty()) {
        return failed("--device " + asked + ": " + device.description);
      }
      for (const DeviceMember& member : device.members) {
        names.push_back(member.name);
      }
    }
  }
  if (names.empty()) {
    return failed("--device " + asked + ": names no device");
  }
  return names;
}

Result<std::vector<std::string>> choose_devices(const std::string& asked) {
  auto names =
      split_devices(asked, names_several(asked) ? probe_devices()
                                                : std::vector<DeviceStatus>{});
  if (!names) return names;
  for (std::string& name : *names) {
    auto chosen = choose_device(name);
    if (!chosen) return error_of(chosen);
    name = std::move(*chosen);
  }
  return names;
}

Result<void> check_alike(const std::vector<NamedDevice>& devices) {
  for (std::size_t i = 1; i < devices.size(); ++i) {
    const protocol::Greeting& one = devices[i].greeting;
    for (std::size_t j = 0; j < i; ++j) {
      const protocol::Greeting& other = devices[j].greeting;
      if (one.device_id != other.device_id) continue;
      return failed(
          fmt::format("--device: {} and {} are one GPU ({}); name each once",
                      devices[j].name, devices[i].name, one.device_id));
    }
    const protocol::Greeting& first = devices.front().greeting;
    if (one.device_kind == first.device_kind &&
        model_of(one.device_name) == model_of(first.device_name) &&
        one.to_json().at("limits") == first.to_json().at("limits") &&
        one.features == first.features) {
      continue;
    }
    return failed(fmt::format(
        "--device: {} is {} and {} is {}; scores of one search are comparable "
        "on GPUs of one kind only: name those that are alike, or search on "
        "one at a time",
        devices.front().name, first.device_name, devices[i].name,
        one.device_name));
  }
  return {};
}

Result<void> check_same_kind(const Json& recorded, const NamedDevice& device) {
  const protocol::Greeting& here = device.greeting;
  const std::string name = recorded.value("name", "");
  if (recorded.value("kind", "") == here.device_kind &&
      (here.device_id.empty() ||
       model_of(name) == model_of(here.device_name))) {
    return {};
  }
  return failed(fmt::format(
      "--device: the run was measured on {}, and {} is {}: scores here mean "
      "something else; go on where it began, or start another run from its "
      "best kernel",
      name, device.name, here.device_name));
}

Result<void> check_timed(const std::string& device,
                         const std::string& command) {
  const std::string kind = kind_of_device(device);
  for (const DeviceStatus& each : probe_devices()) {
    if (each.kind != kind || !each.available || !each.checks_only) continue;
    return failed(fmt::format(
        "{} on {}: kernels of this device can be checked here but not timed "
        "({}); {}",
        command, device, each.description,
        command == "evolve"
            ? "add --check-only to have proposals checked and kept, or run it "
              "where the device is"
            : "use evoke verify, or run it where the device is"));
  }
  return {};
}

}  // namespace evoke::cli
