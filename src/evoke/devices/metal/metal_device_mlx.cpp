// The metal device where there is Metal: compiled and run through MLX.
#include <utility>

#include "evoke/devices/metal/mlx_backend.h"
#include "evoke/devices/metal/mlx_compiler.h"
#include "evoke/devices/metal/mlx_session.h"
#include "evoke/devices/openers.h"

namespace evoke {

Result<Device> open_metal_device(const DeviceOptions& options) {
  auto backend = metal::open_mlx_backend();
  if (!backend) return error_of(backend);
  Device device;
  device.info.kind = "metal";
  device.info.name = (*backend)->description();
  device.info.limits = (*backend)->limits();
  device.info.cache_bytes = 32 << 20;  // of the greatest; copies rotate over it
  device.info.own_memory = true;
  if (options.with_compiler) {
    device.compiler = std::make_unique<metal::MlxCompiler>(std::move(*backend));
  } else if (options.with_session) {
    device.session = std::make_unique<metal::MlxSession>(std::move(*backend));
  }
  return device;
}

DeviceStatus probe_metal_device() {
  if (metal::has_mlx_backend()) {
    return {"metal", true, "Apple GPU, through MLX"};
  }
  return {"metal", false,
          "MLX is absent; ./evoke installs the wheels mlx and mlx-metal"};
}

}  // namespace evoke
