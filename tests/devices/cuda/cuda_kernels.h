// Kernel files and helpers for tests of the cuda device.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "evoke/core/kernel_source.h"
#include "evoke/core/launch_plan.h"
#include "evoke/core/problem.h"
#include "evoke/devices/cuda/compiler.h"
#include "evoke/devices/cuda/gpu.h"
#include "evoke/devices/cuda/nvrtc.h"

namespace evoke::testing {

// y = a * x + bias over N numbers: small, with a scratch of each kind.
inline ProblemSignature scale_signature() {
  ProblemSignature signature;
  signature.name = "scale";
  signature.tensors = {{"x", DType::float32, {"N"}, false},
                       {"y", DType::float32, {"N"}, true}};
  signature.sizes = {"N"};
  signature.scalars = {"a"};
  return signature;
}

inline Shape scale_shape(int64_t n, float a = 2.0F) {
  Shape shape;
  shape.name = "n" + std::to_string(n);
  shape.values = {{"N", n}};
  shape.scalars = {{"a", a}};
  return shape;
}

// One launch of KERNEL(scale) over N threads in blocks of 128; `keys` are more
// lines of the launch, `top` more lines before the variant.
inline std::string scale_file(const std::string& body,
                              const std::string& keys = "",
                              const std::string& top = "",
                              const std::string& before = "") {
  return "/*evoke\nproblem = \"scale\"\n" + top +
         "\n[[variant]]\nname = \"all\"\n[[variant.launch]]\n"
         "kernel = \"scale\"\nreads = [\"x\"]\nwrites = [\"y\"]\n"
         "threadgroups = [\"ceil_div(N, 128)\"]\nthreads = [128]\n" +
         keys + "\nevoke*/\n" + before + "KERNEL(scale) {\n" + body + "\n}\n";
}

inline constexpr const char* kScaleBody =
    "  const int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
    "  if (i < N) y[i * y_strides[0]] = a * x[i * x_strides[0]];";

inline KernelSource parse_cuda(const std::string& text,
                               const std::string& path = "folder/kernel.cu") {
  auto kernel = KernelSource::parse(text, Dialect::cuda, path);
  if (!kernel) throw std::runtime_error(kernel.error().message);
  return *kernel;
}

// Null where no NVRTC is installed: tests then skip, and say so.
inline std::shared_ptr<const cuda::Nvrtc> shared_nvrtc() {
  static const auto* const found = [] {
    auto nvrtc = cuda::load_nvrtc();
    return new std::shared_ptr<const cuda::Nvrtc>(nvrtc ? *nvrtc : nullptr);
  }();
  return *found;
}

// For an H200, whatever this machine has.
inline cuda::CompilerOptions hopper_options() {
  const cuda::Gpu gpu = cuda::assumed_gpu();
  cuda::CompilerOptions options;
  options.architecture = gpu.architecture();
  options.limits = gpu.limits;
  options.sm = gpu.sm;
  return options;
}

}  // namespace evoke::testing

#define EVOKE_NEEDS_NVRTC()                                      \
  if (!evoke::testing::shared_nvrtc()) {                         \
    GTEST_SKIP() << "no NVRTC here: install a CUDA toolkit, or " \
                    "pip install nvidia-cuda-nvrtc";             \
  }
