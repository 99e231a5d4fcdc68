#include "evoke/devices/cuda/driver_api.h"

#include <dlfcn.h>
#include <fmt/format.h>

namespace evoke::cuda {
namespace {

// Where container runtimes and distributions put it beside the usual folders.
constexpr const char* kLibraries[] = {"libcuda.so.1",
                                      "/usr/local/nvidia/lib64/libcuda.so.1",
                                      "/usr/lib/x86_64-linux-gnu/libcuda.so.1",
                                      "/usr/lib/aarch64-linux-gnu/libcuda.so.1",
                                      "/usr/lib64/libcuda.so.1",
                                      "/usr/lib/wsl/lib/libcuda.so.1",
                                      "/run/opengl-driver/lib/libcuda.so.1"};

}  // namespace

std::string DriverApi::error_text(Status status) const {
  const char* name = nullptr;
  const char* text = nullptr;
  if (error_name == nullptr || error_name(status, &name) != kSuccess ||
      name == nullptr) {
    return fmt::format("CUDA error {}", status);
  }
  if (error_string(status, &text) != kSuccess || text == nullptr) return name;
  return fmt::format("{} ({})", text, name);
}

Result<std::shared_ptr<const DriverApi>> load_driver() {
  return load_driver(kLibraries);
}

Result<std::shared_ptr<const DriverApi>> load_driver(
    std::span<const char* const> libraries) {
  void* library = nullptr;
  for (const char* name : libraries) {
    library = ::dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (library != nullptr) break;
  }
  if (library == nullptr) {
    return absent(
        "no CUDA driver: libcuda.so.1 is in none of the usual folders; install "
        "NVIDIA's driver, or start the container with its GPUs");
  }
  auto api = std::make_shared<DriverApi>();
  const char* missing = nullptr;
#define EVOKE_CUDA_LOAD(member, name, parameters)                      \
  api->member =                                                        \
      reinterpret_cast<decltype(api->member)>(::dlsym(library, name)); \
  if (api->member == nullptr && missing == nullptr) missing = name;
  EVOKE_CUDA_DRIVER_FUNCTIONS(EVOKE_CUDA_LOAD)
#undef EVOKE_CUDA_LOAD
  if (missing != nullptr) {
    return absent(
        fmt::format("the CUDA driver is too old: it has no {}; evoke needs the "
                    "driver of CUDA 12.0 (525) or newer",
                    missing));
  }
  return std::shared_ptr<const DriverApi>(std::move(api));
}

}  // namespace evoke::cuda
