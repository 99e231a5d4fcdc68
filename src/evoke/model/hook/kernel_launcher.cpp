#include "evoke/model/hook/kernel_launcher.h"

#include <mlx/device.h>

#include <string>

namespace evoke::model {

Result<std::unique_ptr<KernelLauncher>> make_launcher(Dialect dialect) {
  if (dialect != Dialect::cpu) {
    return absent("kernels of the " + std::string(to_string(dialect)) +
                  " dialect cannot run inside the model yet; use one of the "
                  "cpu dialect");
  }
  if (mlx::core::default_device() != mlx::core::Device::cpu) {
    return absent(
        "a kernel of the cpu dialect needs the model on the CPU; choose "
        "--device cpu");
  }
  return make_cpu_launcher(0);
}

}  // namespace evoke::model
