// Which devices a command runs on: from what was asked for to what is there.
#pragma once

#include <string>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/base/json.h"
#include "evoke/devices/registry.h"
#include "evoke/evaluation/protocol/messages.h"

namespace evoke::cli {

// What "auto" means here; refuses devices that are not there, with the reason,
// and lists of them.
Result<std::string> choose_device(const std::string& asked);

// The same where several GPUs may be named: "cuda:0,cuda:1", "cuda:all". Not
// empty. A GPU that is named twice under two names shows in check_alike().
Result<std::vector<std::string>> choose_devices(const std::string& asked);
// As far as that is a matter of names; `devices` are those here. "auto" and
// names of single devices stay as they are.
Result<std::vector<std::string>> split_devices(
    const std::string& asked, const std::vector<DeviceStatus>& devices);

// A device that was opened, as the user named it.
struct NamedDevice {
  std::string name;
  protocol::Greeting greeting;
};
// `failed`: two are one, or of two kinds, so that scores on one mean nothing
// on the other.
Result<void> check_alike(const std::vector<NamedDevice>& devices);
// `failed`: a run with this fact `device` cannot go on on this device, for
// scores here mean something else. Of devices that are not counted the kind
// alone has to be the same: nobody chooses the processor.
Result<void> check_same_kind(const Json& recorded, const NamedDevice& device);

// `failed`: here, kernels of this device can be checked but not timed; what to
// do instead.
Result<void> check_timed(const std::string& device, const std::string& command);

}  // namespace evoke::cli
