#include "evoke/devices/metal/host/unit_text.h"

#include <fmt/format.h>

#include <iterator>
#include <map>
#include <string_view>

#include "evoke/devices/metal/host/rewrite.h"

namespace evoke::metal::host {
namespace {

// How the values of Metal's attributes follow from EvokeMetalThread.
std::string attribute_value(std::string_view name) {
  static const std::map<std::string_view, std::string_view> kOthers{
      {"dispatch_quadgroups_per_threadgroup",
       "evoke_groups(evoke_t->dispatch_threads_per_threadgroup, 4)"},
      {"dispatch_simdgroups_per_threadgroup",
       "evoke_groups(evoke_t->dispatch_threads_per_threadgroup, 32)"},
      {"grid_origin", "uint3(0u, 0u, 0u)"},
      {"grid_size", "evoke_uint3(evoke_t->threads_per_grid)"},
      {"quadgroup_index_in_threadgroup",
       "evoke_t->thread_index_in_threadgroup / 4"},
      {"quadgroups_per_threadgroup",
       "evoke_groups(evoke_t->threads_per_threadgroup, 4)"},
      {"thread_execution_width", "32u"},
      {"thread_index_in_quadgroup", "evoke_t->thread_index_in_threadgroup % 4"},
      {"threads_per_simdgroup", "32u"}};
  if (const auto found = kOthers.find(name); found != kOthers.end()) {
    return std::string(found->second);
  }
  for (const ThreadAttribute& each : thread_attributes()) {
    if (each.name != name) continue;
    return each.type == "uint3" ? fmt::format("evoke_uint3(evoke_t->{})", name)
                                : fmt::format("evoke_t->{}", name);
  }
  return "0";
}

bool is_reference(const AssembledKernel& kernel,
                  const MlxParameter& parameter) {
  using Kind = MlxParameter::Kind;
  return parameter.kind == Kind::ndim ||
         (parameter.kind == Kind::input &&
          kernel.mlx.inputs[parameter.index].shape.empty());
}

std::string entry(const AssembledKernel& kernel, std::size_t number) {
  std::string text = fmt::format(
      "extern \"C\" __attribute__((visibility(\"default\"), "
      "no_sanitize(\"kernel-address\")))\n"
      "void {}(void* const* evoke_a, const EvokeMetalThread* evoke_t) {{\n"
      "  (void)evoke_t;\n  {}{}::{}(",
      entry_point(kernel.kernel), kKernelNamespace, number,
      kernel.source.function);
  std::size_t argument = 0;
  for (std::size_t i = 0; i < kernel.source.parameters.size(); ++i) {
    const MlxParameter& parameter = kernel.source.parameters[i];
    if (i > 0) text += ",\n      ";
    if (parameter.kind == MlxParameter::Kind::attribute) {
      text += attribute_value(kernel.source.attributes[parameter.index]);
    } else {
      fmt::format_to(
          std::back_inserter(text), "{}{{evoke_a[{}]}}",
          is_reference(kernel, parameter) ? "evoke_reference" : "evoke_pointer",
          argument++);
    }
  }
  text += ");\n}\n";
  return text;
}

}  // namespace

ArtifactKernel artifact_kernel(const AssembledKernel& kernel) {
  using Kind = Argument::Kind;
  using From = MlxParameter::Kind;
  ArtifactKernel result;
  result.name = kernel.kernel;
  for (const MlxParameter& parameter : kernel.source.parameters) {
    if (parameter.kind == From::attribute) continue;
    Argument argument;
    if (parameter.kind == From::output) {
      argument.name = kernel.outputs[parameter.index];
    } else {
      const KernelInput& input = kernel.inputs[parameter.index];
      argument.name = input.name;
      switch (input.role) {
        case KernelInput::Role::tensor:
          break;
        case KernelInput::Role::shape_of:
          argument.kind = Kind::shape;
          break;
        case KernelInput::Role::strides_of:
          argument.kind = Kind::strides;
          break;
        case KernelInput::Role::size:
          argument.kind = Kind::size;
          break;
        case KernelInput::Role::scalar:
          argument.kind = Kind::scalar;
          break;
      }
      if (parameter.kind == From::shape) argument.kind = Kind::shape;
      if (parameter.kind == From::strides) argument.kind = Kind::strides;
      if (parameter.kind == From::ndim) argument.kind = Kind::ndim;
    }
    result.arguments.push_back(std::move(argument));
  }
  return result;
}

std::string unit_text(const Assembly& assembly) {
  std::string text;
  for (std::size_t i = 0; i < assembly.kernels.size(); ++i) {
    fmt::format_to(std::back_inserter(text),
                   "namespace {}{} {{\n{}\n}}\n#line 1 \"{}\"\n",
                   kKernelNamespace, i,
                   rewrite(assembly.kernels[i].source.text), kGeneratedLabel);
  }
  for (std::size_t i = 0; i < assembly.kernels.size(); ++i) {
    text += entry(assembly.kernels[i], i);
  }
  return text;
}

}  // namespace evoke::metal::host
