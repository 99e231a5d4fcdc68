// The real backend: MLX's C++ API. A module of its own, opened by runners.
#include <mlx/mlx.h>
// After mlx.h, which it needs.
#include <mlx/backend/metal/metal.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <limits>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>

#include "evoke/devices/metal/mlx_backend.h"

namespace evoke::metal {
namespace {

namespace mx = mlx::core;

mx::Dtype dtype_of(ElementType type) {
  switch (type) {
    case ElementType::bool_:
      return mx::bool_;
    case ElementType::int8:
      return mx::int8;
    case ElementType::int16:
      return mx::int16;
    case ElementType::int32:
      return mx::int32;
    case ElementType::int64:
      return mx::int64;
    case ElementType::uint8:
      return mx::uint8;
    case ElementType::uint16:
      return mx::uint16;
    case ElementType::uint32:
      return mx::uint32;
    case ElementType::uint64:
      return mx::uint64;
    case ElementType::float16:
      return mx::float16;
    case ElementType::bfloat16:
      return mx::bfloat16;
    case ElementType::float32:
      return mx::float32;
    case ElementType::complex64:
      return mx::complex64;
  }
  return mx::float32;
}

int int_of(int64_t extent) {
  if (extent < 0 || extent > std::numeric_limits<int>::max()) {
    throw std::length_error("an extent beyond 31 bits");
  }
  return static_cast<int>(extent);
}

mx::Shape shape_of(std::span<const int64_t> extents) {
  mx::Shape shape;
  for (const int64_t extent : extents) shape.push_back(int_of(extent));
  return shape;
}

// Copies host memory of any element type into an array of its own.
mx::array copied(const std::byte* data, int64_t elements, ElementType type) {
  const mx::Shape shape{int_of(elements)};
  const mx::Dtype dtype = dtype_of(type);
  switch (mx::size_of(dtype)) {
    case 2: {
      const auto* words = reinterpret_cast<const uint16_t*>(data);
      return mx::view(mx::array(words, shape, mx::uint16), dtype);
    }
    case 4: {
      const auto* words = reinterpret_cast<const uint32_t*>(data);
      return mx::view(mx::array(words, shape, mx::uint32), dtype);
    }
    default:
      throw std::invalid_argument("an element type that tensors do not have");
  }
}

// Elements from the first to the last that a layout reaches.
int64_t span_of(const TensorLayout& layout) {
  int64_t span = 1;
  for (std::size_t i = 0; i < layout.shape.size(); ++i) {
    span += (layout.shape[i] - 1) * layout.strides[i];
  }
  return span;
}

void copy_rows(const std::byte* from, const BoundTensor& into) {
  const TensorLayout& layout = into.layout;
  const std::size_t rank = layout.shape.size();
  const int64_t size = evoke::size_of(layout.type);
  const int64_t row = rank == 0 ? 1 : layout.shape[rank - 1];
  const int64_t rows = layout.num_elements() / std::max<int64_t>(row, 1);
  for (int64_t r = 0; r < rows; ++r) {
    int64_t rest = r;
    int64_t at = 0;
    for (std::size_t axis = rank - 1; axis-- > 0;) {
      at += rest % layout.shape[axis] * layout.strides[axis];
      rest /= layout.shape[axis];
    }
    std::memcpy(into.data + at * size, from + r * row * size,
                static_cast<std::size_t>(row * size));
  }
}

class RealBackend : public MlxBackend {
 public:
  std::string description() const override {
    std::string name = "no GPU";
    const auto& facts = mx::device_info(mx::Device(mx::Device::gpu));
    if (const auto found = facts.find("device_name"); found != facts.end()) {
      if (const auto* text = std::get_if<std::string>(&found->second)) {
        name = *text;
      }
    }
    return std::string("MLX ") + mx::version() + ", " + name;
  }

  DeviceLimits limits() const override {
    DeviceLimits limits;
    limits.num_sms = 10;  // Metal does not tell its cores
    limits.l2_bytes = 4 << 20;
    limits.max_threadgroup_memory = 32768;
    limits.max_threads = 1024;
    return limits;
  }

  Result<void> compile(const MlxKernel& kernel) override {
    return guarded([&]() -> Result<void> {
      MlxKernel bodiless = kernel;
      bodiless.source = "return;\n" + kernel.source;
      std::vector<mx::array> inputs;
      for (const MlxArray& each : kernel.inputs) {
        inputs.push_back(
            mx::zeros(shape_of(each.shape), dtype_of(each.type), gpu()));
      }
      std::vector<mx::Shape> shapes(kernel.outputs.size(), mx::Shape{8});
      auto outputs =
          call(bodiless, inputs, shapes, {1, 1, 1}, {1, 1, 1}, std::nullopt);
      mx::eval(outputs);
      return {};
    });
  }

  Result<ArrayId> upload(const BoundTensor& tensor) override {
    return guarded([&]() -> Result<ArrayId> {
      const TensorLayout& layout = tensor.layout;
      mx::array flat =
          copied(tensor.data, span_of(layout), element_type_of(layout.type));
      mx::array view = mx::as_strided(
          flat, shape_of(layout.shape),
          mx::Strides(layout.strides.begin(), layout.strides.end()), 0, gpu());
      view.eval();
      return add(std::move(view));
    });
  }

  Result<ArrayId> integers(std::span<const int64_t> values, ElementType type,
                           bool scalar) override {
    return guarded([&]() -> Result<ArrayId> {
      const mx::Shape shape =
          scalar ? mx::Shape{}
                 : mx::Shape{int_of(static_cast<int64_t>(values.size()))};
      mx::array made(values.begin(), shape, mx::int64);
      mx::array cast = mx::astype(made, dtype_of(type), gpu());
      cast.eval();
      return add(std::move(cast));
    });
  }

  Result<ArrayId> scalar(float value) override { return add(mx::array(value)); }

  Result<ArrayId> zeros(std::span<const int64_t> shape,
                        ElementType type) override {
    return guarded([&]() -> Result<ArrayId> {
      mx::array made = mx::zeros(shape_of(shape), dtype_of(type), gpu());
      made.eval();
      return add(std::move(made));
    });
  }

  Result<std::vector<ArrayId>> launch(const MlxLaunch& launch) override {
    return guarded([&]() -> Result<std::vector<ArrayId>> {
      std::vector<mx::array> inputs;
      for (const ArrayId id : launch.inputs) inputs.push_back(arrays_.at(id));
      std::vector<mx::Shape> shapes;
      for (const auto& each : launch.output_shapes) {
        shapes.push_back(shape_of(each));
      }
      auto outputs = call(*launch.kernel, inputs, shapes, launch.grid,
                          launch.threadgroup, launch.init_value);
      std::vector<ArrayId> ids;
      for (mx::array& output : outputs) ids.push_back(add(std::move(output)));
      return ids;
    });
  }

  Result<ArrayId> attention(ArrayId query, ArrayId key, ArrayId value,
                            float scale, bool causal) override {
    return guarded([&]() -> Result<ArrayId> {
      return add(mx::fast::scaled_dot_product_attention(
          arrays_.at(query), arrays_.at(key), arrays_.at(value), scale,
          causal ? "causal" : "", {}, {}, false, gpu()));
    });
  }

  Result<void> evaluate(std::span<const ArrayId> ids) override {
    return guarded([&]() -> Result<void> {
      std::vector<mx::array> wanted;
      for (const ArrayId id : ids) wanted.push_back(arrays_.at(id));
      mx::eval(wanted);
      mx::synchronize(mx::default_stream(gpu()));
      return {};
    });
  }

  Result<void> download(ArrayId id, const BoundTensor& into) override {
    return guarded([&]() -> Result<void> {
      mx::array dense = mx::contiguous(arrays_.at(id), false, gpu());
      dense.eval();
      if (static_cast<int64_t>(dense.size()) != into.layout.num_elements()) {
        return failed("an output of another size");
      }
      copy_rows(dense.data<std::byte>(), into);
      return {};
    });
  }

  void release(ArrayId id) override { arrays_.erase(id); }

 private:
  static mx::Device gpu() { return mx::Device(mx::Device::gpu); }

  template <typename Work>
  static auto guarded(Work work) -> decltype(work()) {
    try {
      return work();
    } catch (const std::exception& error) {
      return failed(error.what());
    }
  }

  ArrayId add(mx::array array) {
    arrays_.emplace(next_, std::move(array));
    return next_++;
  }

  static std::vector<mx::array> call(const MlxKernel& kernel,
                                     const std::vector<mx::array>& inputs,
                                     const std::vector<mx::Shape>& shapes,
                                     const std::array<int64_t, 3>& grid,
                                     const std::array<int64_t, 3>& threadgroup,
                                     std::optional<float> init_value) {
    std::vector<std::string> input_names;
    std::vector<std::string> output_names;
    std::vector<mx::Dtype> types;
    for (const MlxArray& each : kernel.inputs) {
      input_names.push_back(each.name);
    }
    for (const MlxArray& each : kernel.outputs) {
      output_names.push_back(each.name);
      types.push_back(dtype_of(each.type));
    }
    const auto run = mx::fast::metal_kernel(
        kernel.name, input_names, output_names, kernel.source, kernel.header,
        /*ensure_row_contiguous=*/false, kernel.atomic_outputs);
    return run(inputs, shapes, types,
               {int_of(grid[0]), int_of(grid[1]), int_of(grid[2])},
               {int_of(threadgroup[0]), int_of(threadgroup[1]),
                int_of(threadgroup[2])},
               {}, init_value, /*verbose=*/false, gpu());
  }

  std::map<ArrayId, mx::array> arrays_;
  ArrayId next_ = 1;
};

}  // namespace
}  // namespace evoke::metal

extern "C" __attribute__((visibility("default"))) void evoke_open_mlx_backend(
    evoke::Result<std::unique_ptr<evoke::metal::MlxBackend>>* reply) {
  try {
    if (!mlx::core::metal::is_available()) {
      *reply = evoke::absent("MLX finds no Metal on this machine");
      return;
    }
    *reply = std::make_unique<evoke::metal::RealBackend>();
  } catch (const std::exception& error) {
    *reply = evoke::absent(std::string("MLX: ") + error.what());
  }
}
