// A compile unit of the metal device, as it travels from the compiler's
// process to the session's: what metal_kernel is given, for every kernel.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/devices/metal/assemble.h"

namespace evoke::metal {

std::vector<std::byte> to_artifact(const Assembly& assembly);
// The texts are assembled anew; `failed`: not an artifact.
Result<Assembly> from_artifact(std::span<const std::byte> artifact);

}  // namespace evoke::metal
