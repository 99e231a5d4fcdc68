// Which BLAS MLX's float32 matmul calls, and with how many threads.
#pragma once

#include <dlfcn.h>

#include <string>

namespace evoke::baselines {

struct Blas {
  bool own = false;  // a threaded one is in front of MLX's (open_baseline.cpp)
  std::string description;
};

// Tells OpenBLAS, where it is in front, how many threads to use. The wheel
// itself brings the single-threaded reference BLAS.
inline Blas use_blas(int num_threads) {
  const auto set = reinterpret_cast<void (*)(int)>(
      ::dlsym(RTLD_DEFAULT, "openblas_set_num_threads"));
  const auto config = reinterpret_cast<const char* (*)()>(
      ::dlsym(RTLD_DEFAULT, "openblas_get_config"));
  if (set == nullptr || config == nullptr) {
    return {false, "the wheel's BLAS, 1 thread"};
  }
  set(num_threads);
  // "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ..."
  const std::string text = config();
  const std::size_t end = text.find(' ', text.find(' ') + 1);
  return {true, text.substr(0, end) + ", " + std::to_string(num_threads) +
                    (num_threads == 1 ? " thread" : " threads")};
}

}  // namespace evoke::baselines
