#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

#include "evoke/devices/cuda/compiler.h"
#include "evoke/devices/cuda/driver_api.h"
#include "evoke/devices/cuda/gpu.h"
#include "evoke/devices/cuda/gpu_probe.h"
#include "evoke/devices/cuda/nvrtc.h"
#include "evoke/devices/cuda/session.h"
#include "evoke/devices/openers.h"

namespace evoke {
namespace {

// Before the driver starts, in a process that has no threads yet.
void set_up_environment(const std::string& selector) {
  // Kernels are loaded before they are timed or captured, nothing is written
  // to a home folder, and numbers are those of nvidia-smi.
  ::setenv("CUDA_MODULE_LOADING", "EAGER", 1);
  ::setenv("CUDA_CACHE_DISABLE", "1", 1);
  ::setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID", 0);
  // A part of a GPU is only seen by those that ask for it.
  if (selector.starts_with("MIG-")) {
    ::setenv("CUDA_VISIBLE_DEVICES", selector.c_str(), 1);
  }
}

struct Found {
  std::shared_ptr<const cuda::DriverApi> driver;
  cuda::Gpu gpu;
};

Result<Found> find(const std::string& selector) {
  set_up_environment(selector);
  auto driver = cuda::load_driver();
  if (!driver) return error_of(driver);
  auto gpu = cuda::find_gpu(**driver, selector);
  if (!gpu) return error_of(gpu);
  return Found{std::move(*driver), std::move(*gpu)};
}

// What was seen before the walls closed, in which a driver does not start.
std::map<std::string, Result<cuda::Gpu>>& seen_ahead() {
  static std::map<std::string, Result<cuda::Gpu>> by_selector;
  return by_selector;
}

// A process that only compiles keeps the driver out.
Result<Found> find_for(const DeviceOptions& options) {
  if (options.with_session) return find(options.selector);
  const auto seen = seen_ahead().find(options.selector);
  set_up_environment(options.selector);
  auto gpu = seen != seen_ahead().end()
                 ? seen->second
                 : cuda::find_gpu_apart(options.selector);
  if (!gpu) return error_of(gpu);
  return Found{nullptr, std::move(*gpu)};
}

}  // namespace

void look_ahead_for_cuda(const std::string& selector) {
  set_up_environment(selector);
  seen_ahead().emplace(selector, cuda::find_gpu_apart(selector));
}

Result<Device> open_cuda_device(const DeviceOptions& options) {
  auto found = find_for(options);
  // Compiling and checking plans works without a GPU, unless one was named.
  if (!found && (options.with_session || !options.selector.empty())) {
    return error_of(found);
  }
  const cuda::Gpu gpu = found ? found->gpu : cuda::assumed_gpu();
  Device device;
  device.info = gpu.info();
  if (options.with_compiler) {
    auto nvrtc = cuda::load_nvrtc();
    if (!nvrtc) return error_of(nvrtc);
    cuda::CompilerOptions compiler;
    compiler.architecture = gpu.architecture();
    compiler.limits = gpu.limits;
    compiler.sm = gpu.sm;
    compiler.folder = options.scratch_folder;
    device.compiler =
        std::make_unique<cuda::CudaCompiler>(std::move(*nvrtc), compiler);
  }
  if (options.with_session) {
    auto session = cuda::CudaSession::open(found->driver, gpu);
    if (!session) return error_of(session);
    device.session = std::move(*session);
  }
  return device;
}

void show_only_gpu(const std::string& uuid) {
  if (uuid.starts_with("GPU-") || uuid.starts_with("MIG-")) {
    ::setenv("CUDA_VISIBLE_DEVICES", uuid.c_str(), 1);
  }
}

// NVRTC's, with the headers and programs beside it.
std::vector<std::string> cuda_folders() {
  std::vector<std::string> folders;
  for (const std::string& library : cuda::nvrtc_folders()) {
    std::error_code error;
    const auto folder = std::filesystem::canonical(library, error);
    if (error) continue;
    folders.push_back(folder.parent_path().string());
    // A wheel's headers are in a wheel of their own.
    if (folder.parent_path().filename() == "cuda_nvrtc") {
      folders.push_back(folder.parent_path().parent_path().string());
    }
  }
  return folders;
}

DeviceStatus probe_cuda_device() {
  const auto found = find("");
  const auto nvrtc = cuda::load_nvrtc();
  const std::string compiler =
      nvrtc ? fmt::format("NVRTC {}.{} ({})", (*nvrtc)->major, (*nvrtc)->minor,
                          (*nvrtc)->path)
            : nvrtc.error().message;
  if (!found) return {"cuda", false, found.error().message + "; " + compiler};
  DeviceStatus status{"cuda", nvrtc.has_value(),
                      fmt::format("{}, {}; {}", found->gpu.info().name,
                                  found->gpu.architecture(), compiler)};
  if (const auto gpus = cuda::list_gpus(*found->driver)) {
    status.members = cuda::members_of(*gpus);
  }
  return status;
}

}  // namespace evoke
