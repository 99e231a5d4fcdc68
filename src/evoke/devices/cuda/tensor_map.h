// Tensor maps: how the copy engine sees a tensor.
#pragma once

#include <array>
#include <cstdint>

#include "evoke/base/error.h"
#include "evoke/core/launch_plan.h"
#include "evoke/core/tensor.h"
#include "evoke/devices/cuda/driver_api.h"

namespace evoke::cuda {

// The arguments of cuTensorMapEncodeTiled, innermost dimension first.
struct TensorMapArguments {
  TensorMapType type = TensorMapType::bfloat16;
  uint32_t rank = 0;
  std::array<uint64_t, 5> extents{};
  std::array<uint64_t, 4> byte_strides{};  // of dimensions 1 and up
  std::array<uint32_t, 5> box{};
  std::array<uint32_t, 5> element_strides{};
  int swizzle = 0;
  int l2_promotion = 0;
};

// Extents are the logical ones (never a capacity), so that what lies behind
// them reads as zero. An error: dimensions that cannot be merged at these
// strides, or strides that the engine cannot take.
Result<TensorMapArguments> tensor_map_arguments(const ResolvedTensorMap& map,
                                                const TensorLayout& layout);
Result<TensorMapWords> encode_tensor_map(const DriverApi& driver,
                                         const ResolvedTensorMap& map,
                                         const TensorLayout& layout,
                                         DevicePointer data);

}  // namespace evoke::cuda
