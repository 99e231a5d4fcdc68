#include "evoke/devices/mlx_python.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <set>
#include <utility>

#include "evoke/base/json.h"
#include "evoke/devices/metal/assemble.h"
#include "evoke/devices/metal/mlx_python_text.h"

namespace evoke {
namespace {

using metal::AssembledKernel;
using metal::Assembly;
using metal::KernelInput;

// A string of one line: JSON's escapes are Python's too.
std::string quoted(const std::string& text) { return Json(text).dump(); }

// Source code as it is where Python can hold it raw.
std::string block(const std::string& text) {
  const bool raw = text.find("'''") == std::string::npos &&
                   !text.ends_with('\\') && !text.ends_with('\'');
  return raw ? "r'''" + text + "'''" : quoted(text);
}

std::string_view kind_of(KernelInput::Role role) {
  switch (role) {
    case KernelInput::Role::tensor:
      return "tensor";
    case KernelInput::Role::shape_of:
      return "shape";
    case KernelInput::Role::strides_of:
      return "strides";
    case KernelInput::Role::size:
      return "size";
    case KernelInput::Role::scalar:
      return "scalar";
  }
  return {};
}

// "lambda n: (a, b, c)"
template <typename List>
std::string tuple_of(const List& expressions) {
  std::string text = "lambda n: (";
  for (const Expression& each : expressions) text += each.to_python() + ", ";
  text += ")";
  return text;
}

class ModuleWriter {
 public:
  ModuleWriter(const KernelSource& kernel, const ProblemSignature& signature)
      : kernel_(kernel), plan_(kernel.plan()), signature_(signature) {}

  Result<std::string> run(std::string_view version) {
    for (std::size_t v = 0; v < plan_.variants.size(); ++v) {
      auto assembly = metal::assemble(kernel_, signature_, unit_of(v));
      if (!assembly) return error_of(assembly);
      assemblies_.push_back(std::move(*assembly));
    }
    write_head(version);
    write_names();
    write_expressions();
    write_code();
    for (std::size_t v = 0; v < assemblies_.size(); ++v) write_variant(v);
    add("]\n\n\n");
    text_ += metal::kMlxPythonRuntime;
    return std::move(text_);
  }

 private:
  template <typename... Args>
  void add(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(text_), format,
                   std::forward<Args>(args)...);
  }

  // What the problem's constants are is known when the module runs.
  CompileUnit unit_of(std::size_t variant) const {
    CompileUnit unit;
    unit.variant = variant;
    for (const std::string& name : signature_.constants) {
      unit.constants[name] = 1;
    }
    for (const Parameter& parameter : plan_.parameters) {
      unit.constants[parameter.name] = parameter.value;
    }
    for (const auto& [name, value] : plan_.variants[variant].parameters) {
      unit.constants[name] = value;
    }
    return unit;
  }

  void write_head(std::string_view version) {
    std::string summary = plan_.summary;
    std::replace(summary.begin(), summary.end(), '"', '\'');
    std::replace(summary.begin(), summary.end(), '\\', '/');
    add(R"("""An attention kernel for mlx-lm's Qwen3, exported by evoke {}.

{}

    original = apply_hook()     # of create_metal_qwen3_optimization_hook()
    ... mlx_lm.generate ...
    print(report()); remove_hook(original)

Made from a kernel file by `evoke export --format mlx-python`: change that one.
"""

import collections
import functools
import math
import sys
import warnings

import mlx.core as mx

KERNEL_HASH = {}

)",
        version, summary.empty() ? "(no summary)" : summary,
        quoted(kernel_.hash()));
  }

  void write_names() {
    // What plans may ask of the device. Metal tells no program how many cores
    // a GPU has.
    const DeviceLimits metal_limits{
        .num_sms = 10, .l2_bytes = 4 << 20, .max_threadgroup_memory = 32768};
    add("# Facts about the device that the plan may use: set num_sms to your\n"
        "# GPU's cores where it does.\n"
        "_FACTS = {{\"num_sms\": {}, \"l2_bytes\": {}, "
        "\"max_threadgroup_memory\": {}}}\n",
        metal_limits.num_sms, metal_limits.l2_bytes,
        metal_limits.max_threadgroup_memory);
    add("_PROBLEM_CONSTANTS = (");
    for (const std::string& name : signature_.constants) {
      add("{}, ", quoted(name));
    }
    add(")\n_PARAMETERS = {{");
    for (const Parameter& each : plan_.parameters) {
      add("{}: {}, ", quoted(each.name), each.value);
    }
    add("}}\n");
  }

  void write_expressions() {
    add("_CONSTRAINTS = [\n");
    for (const Expression& each : plan_.constraints) {
      add("    ({}, lambda n: {}),\n", quoted(each.text()), each.to_python());
    }
    add("]\n_DERIVED = [\n");
    for (const Derived& each : plan_.derived) {
      add("    ({}, lambda n: {}),\n", quoted(each.name),
          each.value.to_python());
    }
    add("]\n# What launches write: type and shape.\n_BUFFERS = {{\n");
    for (const TensorDeclaration& each : signature_.tensors) {
      if (!each.output) continue;
      add("    {}: (mx.{}, lambda n: (", quoted(each.name),
          to_string(each.type));
      for (const std::string& letter : each.shape) {
        add("n[{}], ", quoted(letter));
      }
      add(")),\n");
    }
    for (const ScratchTensor& each : plan_.scratch) {
      add("    {}: (mx.{}, {}),\n", quoted(each.name), to_string(each.type),
          tuple_of(each.shape));
    }
    add("}}\n\n");
  }

  void write_code() {
    const std::string& header = assemblies_[0].kernels[0].mlx.header;
    // The constants stand in front; they are the module's to write.
    add("# Below the constants of each kernel.\n_HEADER = {}\n\n_SOURCES = "
        "{{\n",
        block(header.substr(header.find("#line "))));
    std::set<std::string> seen;
    for (const Assembly& assembly : assemblies_) {
      for (const AssembledKernel& each : assembly.kernels) {
        if (!seen.insert(each.kernel).second) continue;
        add("    {}: {},\n", quoted(each.kernel), block(each.mlx.source));
      }
    }
    add("}}\n\n# The first whose `when` holds computes.\n_VARIANTS = [\n");
  }

  void write_variant(std::size_t index) {
    const Variant& variant = plan_.variants[index];
    add("    {{\n        \"name\": {},\n        \"when\": lambda n: {},\n",
        quoted(variant.name), variant.when.to_python());
    add("        \"parameters\": {{");
    for (const auto& [name, value] : variant.parameters) {
      add("{}: {}, ", quoted(name), value);
    }
    add("}},\n        \"launches\": [\n");
    for (const Launch& launch : variant.launches) {
      write_launch(launch, *assemblies_[index].find(launch.kernel));
    }
    add("        ],\n    }},\n");
  }

  void write_launch(const Launch& launch, const AssembledKernel& assembled) {
    constexpr const char* kIndent = "                ";
    add("            {{\n{0}\"kernel\": {1},\n{0}# name, kind, of what\n"
        "{0}\"inputs\": [\n",
        kIndent, quoted(launch.kernel));
    for (std::size_t i = 0; i < assembled.inputs.size(); ++i) {
      add("{}    ({}, \"{}\", {}),\n", kIndent,
          quoted(assembled.mlx.inputs[i].name),
          kind_of(assembled.inputs[i].role), quoted(assembled.inputs[i].name));
    }
    add("{}],\n{}\"outputs\": [", kIndent, kIndent);
    for (const std::string& name : assembled.outputs) {
      add("{}, ", quoted(name));
    }
    add("],\n{0}\"zero\": {1},\n{0}\"atomic\": {2},\n"
        "{0}\"threadgroups\": {3},\n{0}\"threads\": {4},\n            }},\n",
        kIndent, assembled.zero_outputs ? "True" : "False",
        assembled.mlx.atomic_outputs ? "True" : "False",
        tuple_of(launch.threadgroups), tuple_of(launch.threads));
  }

  const KernelSource& kernel_;
  const KernelPlan& plan_;
  const ProblemSignature& signature_;
  std::vector<Assembly> assemblies_;  // by variant
  std::string text_;
};

}  // namespace

Result<std::string> to_mlx_python(const KernelSource& kernel,
                                  const ProblemSignature& signature,
                                  std::string_view program_version) {
  if (kernel.dialect() != Dialect::metal) {
    return failed(fmt::format(
        "{}: a kernel of the {} dialect; mlx-python is the form of metal "
        "kernels (mx.fast.metal_kernel). Use --format kernel",
        kernel.path(), to_string(kernel.dialect())));
  }
  if (const auto fits = check_signature(kernel, signature); !fits) {
    return error_of(fits);
  }
  return ModuleWriter(kernel, signature).run(program_version);
}

}  // namespace evoke
