#include <dlfcn.h>

#include <filesystem>
#include <string>
#include <system_error>

#include "evoke/devices/metal/mlx_backend.h"

namespace evoke::metal {
namespace {

#ifdef __APPLE__
constexpr const char* kModule = "libevoke_metal_mlx.dylib";
#else
constexpr const char* kModule = "libevoke_metal_mlx.so";
#endif

std::string module_path() {
  return std::string(EVOKE_MODULE_FOLDER) + "/" + kModule;
}

}  // namespace

bool has_mlx_backend() {
  std::error_code error;
  return std::filesystem::exists(module_path(), error);
}

Result<std::unique_ptr<MlxBackend>> open_mlx_backend() {
  const std::string path = module_path();
  if (!has_mlx_backend()) {
    return absent(path +
                  ": was not built; install the wheels mlx and mlx-metal into "
                  ".venv (./evoke does) and configure again");
  }
  // Never closed: MLX keeps threads of its own.
  void* module = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (module == nullptr) return absent(std::string(::dlerror()));
  void* entry = ::dlsym(module, kOpenMlxBackend);
  if (entry == nullptr) return absent(path + ": not a backend of this build");
  Result<std::unique_ptr<MlxBackend>> reply = absent("it did not answer");
  reinterpret_cast<OpenMlxBackend*>(entry)(&reply);
  return reply;
}

}  // namespace evoke::metal
