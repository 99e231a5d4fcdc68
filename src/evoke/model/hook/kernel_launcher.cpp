#include "evoke/model/hook/kernel_launcher.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <mlx/device.h>

#include <filesystem>
#include <string>
#include <vector>

#include "evoke/base/program_path.h"
#include "evoke/model/hook/cuda_module.h"

namespace evoke::model {
namespace {

namespace fs = std::filesystem;

constexpr const char* kModuleFile = "libevoke_hook_cuda.so";

// Beside the installed program first, then where this build put it.
fs::path module_path() {
  std::vector<fs::path> folders;
  const fs::path program = program_path();
  if (!program.empty()) {
    folders.push_back(program.parent_path().parent_path() / "lib" / "evoke");
  }
  folders.emplace_back(EVOKE_MODULE_FOLDER);
  for (const fs::path& folder : folders) {
    std::error_code error;
    if (fs::exists(folder / kModuleFile, error)) return folder / kModuleFile;
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<KernelLauncher>> make_cuda_launcher() {
  const fs::path file = module_path();
  if (file.empty()) {
    return absent(fmt::format(
        "kernels of the cuda dialect need {}, which was not built: install "
        "the wheels mlx and mlx-cuda-13 and configure with "
        "-DEVOKE_MLX_CUDA=FOLDER, the one that holds mlx/",
        kModuleFile));
  }
  // Never closed: MLX keeps what it was given until the process ends.
  void* module = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (module == nullptr) {
    return absent(
        fmt::format("kernels of the cuda dialect cannot run here: {}; MLX "
                    "must be the one of the wheel mlx-cuda-13",
                    ::dlerror()));
  }
  void* entry = ::dlsym(module, kMakeCudaLauncher);
  if (entry == nullptr) {
    return failed(file.string() + " is not a module of evoke");
  }
  Result<std::unique_ptr<KernelLauncher>> launcher =
      failed(file.string() + " did not answer");
  reinterpret_cast<MakeCudaLauncher*>(entry)(&launcher);
  return launcher;
}

Result<std::unique_ptr<KernelLauncher>> make_launcher(Dialect dialect) {
  const bool on_gpu = mlx::core::default_device() == mlx::core::Device::gpu;
  if (dialect == Dialect::cuda) {
    if (on_gpu) return make_cuda_launcher();
    return absent(
        "a kernel of the cuda dialect needs the model on a GPU, and this MLX "
        "sees none: in a package, link lib/mlx to the folder mlx of the wheel "
        "mlx-cuda-13 (docs/compare.md)");
  }
  if (dialect != Dialect::cpu) {
    return absent("kernels of the " + std::string(to_string(dialect)) +
                  " dialect cannot run inside the model yet; use one of the "
                  "cpu or cuda dialect");
  }
  if (on_gpu) {
    return absent(
        "a kernel of the cpu dialect needs the model on the CPU; use the "
        "wheel mlx-cpu, or a kernel of the GPU's dialect");
  }
  return make_cpu_launcher(0);
}

}  // namespace evoke::model
