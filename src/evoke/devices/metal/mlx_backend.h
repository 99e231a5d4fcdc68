// What the metal device needs of MLX, behind an interface: the session above
// it can be tried where there is no Metal, and the program need not link MLX.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/devices/device.h"
#include "evoke/devices/metal/mlx_kernel.h"

namespace evoke::metal {

using ArrayId = int64_t;  // an array of the backend's; 0 is none

// One call of fast::metal_kernel, added to the graph. Inputs are passed as
// they lie (ensure_row_contiguous = false).
struct MlxLaunch {
  const MlxKernel* kernel = nullptr;
  std::vector<ArrayId> inputs;
  std::vector<std::vector<int64_t>> output_shapes;
  std::array<int64_t, 3> grid{1, 1, 1};         // in threads
  std::array<int64_t, 3> threadgroup{1, 1, 1};  // in threads
  std::optional<float> init_value;
};

class MlxBackend {
 public:
  virtual ~MlxBackend() = default;
  // "MLX 0.32.4, Apple M4 Max"
  virtual std::string description() const = 0;
  virtual DeviceLimits limits() const = 0;

  // Has Metal compile the text of a call without running its body. The error
  // is what the compiler said.
  virtual Result<void> compile(const MlxKernel& kernel) = 0;

  // A copy of a tensor, with its strides: a slice of a copy of all that it
  // spans, as a slice of a cache is. Evaluated.
  virtual Result<ArrayId> upload(const BoundTensor& tensor) = 0;
  // Small arrays. An empty shape is a scalar.
  virtual Result<ArrayId> integers(std::span<const int64_t> values,
                                   ElementType type, bool scalar) = 0;
  virtual Result<ArrayId> scalar(float value) = 0;
  virtual Result<ArrayId> zeros(std::span<const int64_t> shape,
                                ElementType type) = 0;

  // Nothing runs yet. One array for each output.
  virtual Result<std::vector<ArrayId>> launch(const MlxLaunch& launch) = 0;
  // mx.fast.scaled_dot_product_attention, on the path that MLX chooses. Causal
  // is aligned at the bottom right. Nothing runs yet.
  virtual Result<ArrayId> attention(ArrayId query, ArrayId key, ArrayId value,
                                    float scale, bool causal) = 0;
  // Runs what these depend on and waits for it.
  virtual Result<void> evaluate(std::span<const ArrayId> arrays) = 0;
  // An evaluated, contiguous array into host memory with any strides.
  virtual Result<void> download(ArrayId array, const BoundTensor& into) = 0;
  virtual void release(ArrayId array) = 0;
};

// The module libevoke_metal_mlx holds the real one. Exported as
// evoke_open_mlx_backend.
using OpenMlxBackend = void(Result<std::unique_ptr<MlxBackend>>* reply);
inline constexpr const char* kOpenMlxBackend = "evoke_open_mlx_backend";

// Opens the module. `absent`: it was not built, or no Metal answers.
Result<std::unique_ptr<MlxBackend>> open_mlx_backend();
// Whether the module is there, without opening it.
bool has_mlx_backend();

}  // namespace evoke::metal
