// Which BLAS MLX's float32 matmul calls, and with how many threads.
#pragma once

#include <dlfcn.h>

#include <string>

namespace evoke::baselines {

// "OpenBLAS 0.3.21, 2 threads" when that is loaded in front of MLX's own (see
// open_baseline.cpp), which is then told how many threads to use; otherwise
// "the wheel's", the single-threaded reference BLAS.
inline std::string use_blas_threads(int num_threads) {
  const auto set = reinterpret_cast<void (*)(int)>(
      ::dlsym(RTLD_DEFAULT, "openblas_set_num_threads"));
  const auto config = reinterpret_cast<const char* (*)()>(
      ::dlsym(RTLD_DEFAULT, "openblas_get_config"));
  if (set == nullptr || config == nullptr) return "the wheel's, 1 thread";
  set(num_threads);
  // "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ..."
  const std::string text = config();
  const std::size_t end = text.find(' ', text.find(' ') + 1);
  return text.substr(0, end) + ", " + std::to_string(num_threads) + " threads";
}

}  // namespace evoke::baselines
