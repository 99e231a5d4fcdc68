#include "evoke/devices/metal/mlx_kernel.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

namespace evoke::metal {
namespace {

struct TypeName {
  ElementType type;
  std::string_view metal;
  std::string_view python;
};
constexpr std::array<TypeName, 13> kTypeNames{{
    {ElementType::bool_, "bool", "bool_"},
    {ElementType::int8, "int8_t", "int8"},
    {ElementType::int16, "int16_t", "int16"},
    {ElementType::int32, "int32_t", "int32"},
    {ElementType::int64, "int64_t", "int64"},
    {ElementType::uint8, "uint8_t", "uint8"},
    {ElementType::uint16, "uint16_t", "uint16"},
    {ElementType::uint32, "uint32_t", "uint32"},
    {ElementType::uint64, "uint64_t", "uint64"},
    {ElementType::float16, "float16_t", "float16"},
    {ElementType::bfloat16, "bfloat16_t", "bfloat16"},
    {ElementType::float32, "float", "float32"},
    {ElementType::complex64, "complex64_t", "complex64"},
}};

bool contains(const std::string& text, std::string_view word) {
  return text.find(word) != std::string::npos;
}

std::string_view keyword(const MlxTemplateArgument& argument) {
  switch (argument.value.index()) {
    case 0:
      return "int";
    case 1:
      return "bool";
    default:
      return "typename";
  }
}

std::string value_text(const MlxTemplateArgument& argument) {
  switch (argument.value.index()) {
    case 0:
      return std::to_string(std::get<int>(argument.value));
    case 1:  // printed by a stream without boolalpha
      return std::get<bool>(argument.value) ? "1" : "0";
    default:
      return std::string(metal_name(std::get<ElementType>(argument.value)));
  }
}

// Builds the text of one kernel from the front.
class Writer {
 public:
  explicit Writer(const MlxKernel& kernel) : kernel_(kernel) {}

  MlxSource run() {
    for (const ThreadAttribute& attribute : thread_attributes()) {
      if (contains(kernel_.source, attribute.name)) {
        out_.attributes.emplace_back(attribute.name);
      }
    }
    out_.function = function_name();
    out_.text = kernel_.header;
    add_template();
    add("[[kernel]] void {}(\n", out_.function);
    for (std::size_t i = 0; i < kernel_.inputs.size(); ++i) add_input(i);
    for (std::size_t i = 0; i < kernel_.outputs.size(); ++i) add_output(i);
    add_attributes();
    out_.body_offset = out_.text.size();
    add("{}\n}}\n", kernel_.source);
    add_instantiation();
    return std::move(out_);
  }

 private:
  template <typename... Args>
  void add(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(out_.text), format,
                   std::forward<Args>(args)...);
  }

  // "1, bfloat16_t": what stands between < and >.
  std::string template_values(std::string_view separator) const {
    std::string values;
    for (const MlxTemplateArgument& argument : kernel_.template_arguments) {
      if (!values.empty()) values += separator;
      values += value_text(argument);
    }
    return values;
  }

  // Every dtype, and how each input is passed, is part of the name.
  std::string function_name() const {
    std::string name = "custom_kernel_" + kernel_.name;
    if (!kernel_.template_arguments.empty()) {
      std::string values = template_values("_");
      std::replace(values.begin(), values.end(), '-', '_');
      name += "__" + values;
    }
    for (const MlxArray& input : kernel_.inputs) {
      name += fmt::format("_{}", metal_name(input.type));
      if (input.shape.empty()) {
        name += 's';
      } else if (input.is_constant()) {
        name += 'c';
      }
    }
    for (const MlxArray& output : kernel_.outputs) {
      name += fmt::format("_{}", metal_name(output.type));
    }
    return name;
  }

  void add_template() {
    if (kernel_.template_arguments.empty()) return;
    std::string_view before = "template <";
    for (const MlxTemplateArgument& argument : kernel_.template_arguments) {
      add("{}{} {}", before, keyword(argument), argument.name);
      before = ", ";
    }
    out_.text += ">\n";
  }

  // A buffer's number is its place among the parameters.
  std::size_t note(MlxParameter::Kind kind, std::size_t index) {
    out_.parameters.push_back({kind, index});
    return out_.parameters.size() - 1;
  }

  void add_input(std::size_t i) {
    using Kind = MlxParameter::Kind;
    const MlxArray& input = kernel_.inputs[i];
    const bool scalar = input.shape.empty();
    add("  const {} {}{} {} [[buffer({})]],\n",
        input.is_constant() ? "constant" : "device", metal_name(input.type),
        scalar ? '&' : '*', input.name, note(Kind::input, i));
    if (scalar) return;
    if (contains(kernel_.source, input.name + "_shape")) {
      add("  const constant int* {}_shape [[buffer({})]],\n", input.name,
          note(Kind::shape, i));
    }
    if (contains(kernel_.source, input.name + "_strides")) {
      add("  const constant int64_t* {}_strides [[buffer({})]],\n", input.name,
          note(Kind::strides, i));
    }
    if (contains(kernel_.source, input.name + "_ndim")) {
      add("  const constant int& {}_ndim [[buffer({})]],\n", input.name,
          note(Kind::ndim, i));
    }
  }

  void add_output(std::size_t i) {
    const MlxArray& output = kernel_.outputs[i];
    const std::size_t buffer = note(MlxParameter::Kind::output, i);
    const std::string_view atomic = kernel_.atomic_outputs ? "atomic<" : "";
    add("  device {}{}{}* {} [[buffer({})]]", atomic, metal_name(output.type),
        kernel_.atomic_outputs ? ">" : "", output.name, buffer);
    // MLX counts arrays here, not buffers: without attributes the list ends
    // early when shapes or strides come between. Kept, as it is what it makes.
    const bool more =
        buffer + 1 < kernel_.inputs.size() + kernel_.outputs.size();
    out_.text += more || !out_.attributes.empty() ? ",\n" : ") {\n";
  }

  void add_attributes() {
    std::size_t left = out_.attributes.size();
    for (const ThreadAttribute& attribute : thread_attributes()) {
      if (!contains(kernel_.source, attribute.name)) continue;
      note(MlxParameter::Kind::attribute, out_.attributes.size() - left);
      add("  {0} {1} [[{1}]]{2}", attribute.type, attribute.name,
          --left > 0 ? ",\n" : ") {\n");
    }
  }

  void add_instantiation() {
    if (kernel_.template_arguments.empty()) return;
    const std::string instance =
        fmt::format("{}<{}>", out_.function, template_values(", "));
    add("\ntemplate [[host_name(\"{}\")]] [[kernel]] decltype({}) {};\n",
        out_.function, instance, instance);
  }

  const MlxKernel& kernel_;
  MlxSource out_;
};

}  // namespace

std::string_view metal_name(ElementType type) {
  return kTypeNames[static_cast<std::size_t>(type)].metal;
}

std::string_view python_name(ElementType type) {
  return kTypeNames[static_cast<std::size_t>(type)].python;
}

Result<ElementType> parse_element_type(std::string_view name) {
  if (name == "bool") return ElementType::bool_;
  for (const TypeName& known : kTypeNames) {
    if (known.python == name) return known.type;
  }
  return absent(fmt::format("'{}' is no element type of Metal", name));
}

ElementType element_type_of(DType type) {
  switch (type) {
    case DType::bfloat16:
      return ElementType::bfloat16;
    case DType::float16:
      return ElementType::float16;
    case DType::float32:
      return ElementType::float32;
    case DType::int32:
      return ElementType::int32;
    case DType::uint32:
      return ElementType::uint32;
  }
  return ElementType::float32;
}

int64_t MlxArray::num_elements() const {
  int64_t count = 1;
  for (const int64_t extent : shape) count *= extent;
  return count;
}

MlxSource mlx_source(const MlxKernel& kernel) { return Writer(kernel).run(); }

const std::vector<ThreadAttribute>& thread_attributes() {
  static const std::vector<ThreadAttribute> kAttributes = {
      {"dispatch_quadgroups_per_threadgroup", "uint"},
      {"dispatch_simdgroups_per_threadgroup", "uint"},
      {"dispatch_threads_per_threadgroup", "uint3"},
      {"grid_origin", "uint3"},
      {"grid_size", "uint3"},
      {"quadgroup_index_in_threadgroup", "uint"},
      {"quadgroups_per_threadgroup", "uint"},
      {"simdgroup_index_in_threadgroup", "uint"},
      {"simdgroups_per_threadgroup", "uint"},
      {"thread_execution_width", "uint"},
      {"thread_index_in_quadgroup", "uint"},
      {"thread_index_in_simdgroup", "uint"},
      {"thread_index_in_threadgroup", "uint"},
      {"thread_position_in_grid", "uint3"},
      {"thread_position_in_threadgroup", "uint3"},
      {"threadgroup_position_in_grid", "uint3"},
      {"threadgroups_per_grid", "uint3"},
      {"threads_per_grid", "uint3"},
      {"threads_per_simdgroup", "uint"},
      {"threads_per_threadgroup", "uint3"},
  };
  return kAttributes;
}

}  // namespace evoke::metal
