#include "evoke/baselines/attention_call.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstring>
#include <string>
#include <string_view>

namespace evoke::baselines {
namespace {

Result<int64_t> value_of(const Shape& shape, std::string_view letter) {
  const auto found = shape.values.find(letter);
  if (found == shape.values.end()) {
    return failed(fmt::format("shape '{}' has no '{}'", shape.name, letter));
  }
  return found->second;
}

Result<Geometry> geometry_of(const Shape& shape) {
  Geometry geometry;
  const std::pair<const char*, int64_t*> sizes[] = {
      {"B", &geometry.B},   {"Hq", &geometry.Hq}, {"Hkv", &geometry.Hkv},
      {"Lq", &geometry.Lq}, {"Lk", &geometry.Lk}, {"D", &geometry.D}};
  for (const auto& [letter, target] : sizes) {
    const Result<int64_t> value = value_of(shape, letter);
    if (!value) return error_of(value);
    if (*value < 1 || *value > (int64_t{1} << 24)) {
      return failed(fmt::format("shape '{}': {} is {}; use 1 to 2^24",
                                shape.name, letter, *value));
    }
    *target = *value;
  }
  const Result<int64_t> causal = value_of(shape, "causal");
  if (!causal) return error_of(causal);
  geometry.causal = *causal != 0;
  const auto scale = shape.scalars.find("scale");
  if (scale == shape.scalars.end()) {
    return failed(fmt::format("shape '{}' has no 'scale'", shape.name));
  }
  geometry.scale = scale->second;
  if (geometry.Hq % geometry.Hkv != 0) {
    return failed(fmt::format("shape '{}': Hq {} is not a multiple of Hkv {}",
                              shape.name, geometry.Hq, geometry.Hkv));
  }
  if (geometry.causal && geometry.Lq > geometry.Lk) {
    return failed(
        fmt::format("shape '{}': causal with Lq {} > Lk {} leaves "
                    "queries without a key",
                    shape.name, geometry.Lq, geometry.Lk));
  }
  return geometry;
}

Result<TensorView> view_of(const std::vector<BoundTensor>& tensors,
                           std::string_view name,
                           const std::array<int64_t, 4>& shape) {
  for (const BoundTensor& tensor : tensors) {
    const TensorLayout& layout = tensor.layout;
    if (layout.name != name) continue;
    const std::vector<int64_t> expected(shape.begin(), shape.end());
    if (layout.type != DType::bfloat16 || layout.shape != expected ||
        layout.strides.size() != 4 || layout.strides[3] != 1 ||
        tensor.data == nullptr) {
      return failed(fmt::format(
          "tensor '{}' is {} ({}) with strides ({}); it must be bfloat16 ({}), "
          "its last dimension contiguous",
          name, to_string(layout.type), fmt::join(layout.shape, ", "),
          fmt::join(layout.strides, ", "), fmt::join(shape, ", ")));
    }
    TensorView view;
    view.data = tensor.data;
    view.shape = shape;
    std::copy_n(layout.strides.begin(), 4, view.strides.begin());
    // A dimension of one may carry any stride; the dense one is as good and
    // lets calls that differ in nothing else share their code.
    for (int i = 2; i >= 0; --i) {
      if (shape[i] == 1) view.strides[i] = shape[i + 1] * view.strides[i + 1];
    }
    return view;
  }
  return failed(fmt::format("no tensor '{}' among the bound ones", name));
}

}  // namespace

bool TensorView::contiguous() const {
  int64_t stride = 1;
  for (int i = 3; i >= 0; --i) {
    if (strides[i] != stride) return false;
    stride *= shape[i];
  }
  return true;
}

int64_t TensorView::span() const {
  int64_t last = 0;
  for (int i = 0; i < 4; ++i) last += (shape[i] - 1) * strides[i];
  return last + 1;
}

Result<AttentionCall> attention_call(const Shape& shape,
                                     const std::vector<BoundTensor>& tensors) {
  const Result<Geometry> geometry = geometry_of(shape);
  if (!geometry) return error_of(geometry);
  AttentionCall call;
  call.geometry = *geometry;
  const auto& g = call.geometry;
  const std::array<int64_t, 4> rows{g.B, g.Hq, g.Lq, g.D};
  const std::array<int64_t, 4> keys{g.B, g.Hkv, g.Lk, g.D};
  struct Role {
    const char* name;
    const std::array<int64_t, 4>& shape;
    TensorView* view;
  };
  const Role roles[] = {{"query", rows, &call.query},
                        {"key", keys, &call.key},
                        {"value", keys, &call.value},
                        {"output", rows, &call.output}};
  for (std::size_t i = 0; i < 4; ++i) {
    Result<TensorView> view = view_of(tensors, roles[i].name, roles[i].shape);
    if (!view) return error_of(view);
    *roles[i].view = *view;
    call.geometry.strides[i] = view->strides;
  }
  return call;
}

void copy_into(const TensorView& destination, const std::byte* source) {
  const auto& shape = destination.shape;
  const std::size_t row_bytes = 2 * static_cast<std::size_t>(shape[3]);
  for (int64_t b = 0; b < shape[0]; ++b) {
    for (int64_t h = 0; h < shape[1]; ++h) {
      for (int64_t row = 0; row < shape[2]; ++row) {
        std::memcpy(destination.at(b, h, row), source, row_bytes);
        source += row_bytes;
      }
    }
  }
}

}  // namespace evoke::baselines
