// What MLX's metal_kernel makes of a name, inputs, outputs and a body: the
// text that it hands to Metal's compiler, less the utilities it puts in front
// (mlx_utilities.h). The rules are MLX 0.32's (mlx/backend/common/
// metal_kernel.cpp), oddities included; mlx_kernel_golden_test compares with
// MLX itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/core/tensor.h"

namespace evoke::metal {

// MLX's element types that Metal has.
enum class ElementType {
  bool_,
  int8,
  int16,
  int32,
  int64,
  uint8,
  uint16,
  uint32,
  uint64,
  float16,
  bfloat16,
  float32,
  complex64
};
// As MLX spells it in Metal source: "bfloat16_t", "float", "int32_t".
std::string_view metal_name(ElementType type);
// As Python spells it, without "mlx.core.": "bfloat16", "float32", "bool_".
std::string_view python_name(ElementType type);
// absent: no such type. Takes "bool" for "bool_" as well.
Result<ElementType> parse_element_type(std::string_view python_name);
ElementType element_type_of(DType type);

// An input or an output. Rank 0 is a scalar, passed by reference.
struct MlxArray {
  std::string name;
  ElementType type = ElementType::float32;
  std::vector<int64_t> shape;

  int64_t num_elements() const;
  // Inputs of fewer elements are passed in the constant address space.
  static constexpr int64_t kMinDeviceElements = 8;
  bool is_constant() const { return num_elements() < kMinDeviceElements; }
  bool operator==(const MlxArray&) const = default;
};

struct MlxTemplateArgument {
  std::string name;
  std::variant<int, bool, ElementType> value;
  bool operator==(const MlxTemplateArgument&) const = default;
};

// One call of metal_kernel, as far as the text depends on it.
struct MlxKernel {
  std::string name;
  std::vector<MlxArray> inputs;
  std::vector<MlxArray> outputs;  // their shapes do not matter to the text
  std::string source;             // the body
  std::string header;
  std::vector<MlxTemplateArgument> template_arguments;
  bool atomic_outputs = false;
  bool operator==(const MlxKernel&) const = default;
};

// A parameter of the generated function. Those but attributes are buffers:
// parameter i is [[buffer(i)]].
struct MlxParameter {
  enum class Kind { input, shape, strides, ndim, output, attribute };
  Kind kind = Kind::input;
  std::size_t index = 0;  // into inputs, outputs or attributes
  bool operator==(const MlxParameter&) const = default;
};

struct MlxSource {
  std::string function;  // its name, and the key of MLX's library cache
  std::string text;      // header, signature, body, instantiation
  std::vector<MlxParameter> parameters;
  // "thread_position_in_grid", ... in the order of the signature.
  std::vector<std::string> attributes;
  std::size_t body_offset = 0;  // where the body begins in `text`
};

MlxSource mlx_source(const MlxKernel& kernel);

// The thread attributes that MLX knows, with their Metal types.
struct ThreadAttribute {
  std::string_view name;
  std::string_view type;  // "uint" or "uint3"
};
const std::vector<ThreadAttribute>& thread_attributes();

}  // namespace evoke::metal
