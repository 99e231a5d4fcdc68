// Inline code of the headers of MLX's CUDA back end calls these, which its
// library keeps to itself: for the modules that are built against it.
#include <cuda.h>
#include <cuda_runtime.h>

#include <stdexcept>
#include <string>

namespace mlx::core {

void check_cuda_error(const char* name, cudaError_t error);
void check_cuda_error(const char* name, CUresult error);

void check_cuda_error(const char* name, cudaError_t error) {
  if (error == cudaSuccess) return;
  throw std::runtime_error(std::string(name) + ": " +
                           cudaGetErrorString(error));
}

void check_cuda_error(const char* name, CUresult error) {
  if (error == CUDA_SUCCESS) return;
  throw std::runtime_error(std::string(name) + ": driver error " +
                           std::to_string(static_cast<int>(error)));
}

}  // namespace mlx::core
