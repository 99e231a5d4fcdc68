#include "evoke/model/cpu_products.h"

#include <dlfcn.h>
#include <mlx/device.h>

#include <cstdlib>
#include <string_view>

namespace evoke::model {

bool widens_products() {
  static const bool answer = [] {
    const char* wish = std::getenv("EVOKE_WIDEN");
    return (wish == nullptr || std::string_view(wish) != "0") &&
           mlx::core::default_device() == mlx::core::Device::cpu &&
           blas_file().find("openblas") != std::string::npos;
  }();
  return answer;
}

std::string blas_file() {
  Dl_info info{};
  const void* symbol = ::dlsym(RTLD_DEFAULT, "cblas_sgemm");
  if (symbol == nullptr || ::dladdr(symbol, &info) == 0) return "unknown";
  const std::string path = info.dli_fname;
  return path.substr(path.rfind('/') + 1);
}

}  // namespace evoke::model
