#include "evoke/devices/cuda/tensor_map.h"

#include <fmt/format.h>

namespace evoke::cuda {
namespace {

constexpr int64_t kStrideUnit = 16;  // bytes
constexpr int64_t kMaxStride = int64_t{1} << 40;

TensorMapType type_of(DType type) {
  switch (type) {
    case DType::bfloat16:
      return TensorMapType::bfloat16;
    case DType::float16:
      return TensorMapType::float16;
    case DType::float32:
      return TensorMapType::float32;
    case DType::int32:
      return TensorMapType::int32;
    case DType::uint32:
      return TensorMapType::uint32;
  }
  return TensorMapType::bfloat16;
}

struct Dimension {
  int64_t extent = 1;
  int64_t stride = 0;  // elements; 0 while the extent is 1
};

// Several dimensions as one, from the innermost outwards. What has extent 1
// lies wherever it is wanted.
Result<Dimension> merged(const ResolvedTensorMap& map,
                         const std::vector<int64_t>& dimensions,
                         const TensorLayout& layout) {
  Dimension all;
  for (auto each = dimensions.rbegin(); each != dimensions.rend(); ++each) {
    const auto d = static_cast<std::size_t>(*each);
    if (d >= layout.shape.size()) {
      return failed(fmt::format("tensor map '{}': no dimension {} in '{}'",
                                map.name, d, layout.name));
    }
    const int64_t extent = layout.shape[d];
    const int64_t stride = layout.strides[d];
    if (extent == 1) continue;
    if (all.extent > 1 && stride != all.extent * all.stride) {
      return failed(fmt::format(
          "tensor map '{}' merges dimension {} of '{}', which has gaps here "
          "(stride {}, not {}); map it as a dimension of its own",
          map.name, d, layout.name, stride, all.extent * all.stride));
    }
    if (all.extent == 1) all.stride = stride;
    all.extent *= extent;
  }
  return all;
}

}  // namespace

Result<TensorMapArguments> tensor_map_arguments(const ResolvedTensorMap& map,
                                                const TensorLayout& layout) {
  TensorMapArguments arguments;
  arguments.type = type_of(layout.type);
  arguments.rank = static_cast<uint32_t>(map.order.size());
  if (map.order.empty() || map.order.size() > arguments.extents.size() ||
      map.box.size() != map.order.size() ||
      map.element_strides.size() != map.order.size()) {
    return failed(fmt::format("tensor map '{}': from 1 to {} dimensions",
                              map.name, arguments.extents.size()));
  }
  const int64_t element_bytes = size_of(layout.type);
  // Of everything within the dimension: where one of extent 1 may be put.
  int64_t span_bytes = kStrideUnit;
  for (std::size_t i = 0; i < map.order.size(); ++i) {
    auto dimension = merged(map, map.order[i], layout);
    if (!dimension) return error_of(dimension);
    arguments.extents[i] = static_cast<uint64_t>(dimension->extent);
    arguments.box[i] = static_cast<uint32_t>(map.box[i]);
    arguments.element_strides[i] =
        static_cast<uint32_t>(map.element_strides[i]);
    int64_t stride = dimension->stride * element_bytes;
    if (i == 0) {
      if (dimension->extent > 1 && dimension->stride != 1) {
        return failed(fmt::format(
            "tensor map '{}': the elements of '{}' do not lie side by side in "
            "the innermost dimension",
            map.name, layout.name));
      }
      stride = element_bytes;
    } else {
      if (dimension->extent == 1) stride = span_bytes;
      if (stride % kStrideUnit != 0 || stride <= 0 || stride >= kMaxStride) {
        return failed(fmt::format(
            "tensor map '{}': '{}' has a stride of {} bytes; it must be a "
            "multiple of {}",
            map.name, layout.name, stride, kStrideUnit));
      }
      arguments.byte_strides[i - 1] = static_cast<uint64_t>(stride);
    }
    const int64_t end = dimension->extent * stride;
    const int64_t rounded = (end + kStrideUnit - 1) / kStrideUnit * kStrideUnit;
    span_bytes = rounded > span_bytes ? rounded : span_bytes;
  }
  arguments.swizzle = map.swizzle_bytes == 128  ? 3
                      : map.swizzle_bytes == 64 ? 2
                      : map.swizzle_bytes == 32 ? 1
                                                : 0;
  arguments.l2_promotion = map.l2_promotion_bytes == 256   ? 3
                           : map.l2_promotion_bytes == 128 ? 2
                           : map.l2_promotion_bytes == 64  ? 1
                                                           : 0;
  return arguments;
}

Result<TensorMapWords> encode_tensor_map(const DriverApi& driver,
                                         const ResolvedTensorMap& map,
                                         const TensorLayout& layout,
                                         DevicePointer data) {
  auto arguments = tensor_map_arguments(map, layout);
  if (!arguments) return error_of(arguments);
  TensorMapWords words{};
  constexpr int kNoInterleave = 0;
  constexpr int kZeroFill = 0;
  const Status status = driver.tensor_map_encode(
      &words, arguments->type, arguments->rank, data, arguments->extents.data(),
      arguments->byte_strides.data(), arguments->box.data(),
      arguments->element_strides.data(), kNoInterleave, arguments->swizzle,
      arguments->l2_promotion, kZeroFill);
  if (status != kSuccess) {
    return failed(fmt::format("tensor map '{}' of '{}': {}", map.name,
                              layout.name, driver.error_text(status)));
  }
  return words;
}

}  // namespace evoke::cuda
