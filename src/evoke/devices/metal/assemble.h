// From a kernel file to what MLX's metal_kernel is given, and the text that
// it makes of that.
//
//   KERNEL(name) { body }      source: the body, under its own line numbers
//   all text outside kernels   header, below the constants
//   D Hq Hkv causal, parameters   `constexpr constant int` lines of the header
//   reads                      inputs; MLX adds _shape and _strides
//   writes                     outputs. MLX gives those no _shape, no _strides:
//                              where the body says NAME_shape, an input of that
//                              name and of the same type is added
//   B Lq Lk, derived, scale    inputs of rank 0 (`const constant int32_t&`),
//                              those that the code names. Never template
//                              arguments: a longer context compiles nothing
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/core/kernel_source.h"
#include "evoke/core/launch_plan.h"
#include "evoke/core/problem.h"
#include "evoke/devices/metal/mlx_kernel.h"

namespace evoke::metal {

// The name that #line directives and diagnostics give to the file.
inline constexpr std::string_view kFileLabel = "kernel.metal";

// What the host passes as an input.
struct KernelInput {
  enum class Role { tensor, shape_of, strides_of, size, scalar };
  Role role = Role::tensor;
  std::string name;  // of the tensor, the size or the scalar
  bool operator==(const KernelInput&) const = default;
};

struct AssembledKernel {
  std::string kernel;  // KERNEL(kernel)
  // Shapes of tensors are nominal: of their rank and not below 8 elements,
  // which is what a call must have (check_call).
  MlxKernel mlx;
  std::vector<KernelInput> inputs;   // of mlx.inputs
  std::vector<std::string> outputs;  // of mlx.outputs: tensor names
  bool zero_outputs = false;         // MLX's init_value = 0
  MlxSource source;
};

struct Assembly {
  std::vector<AssembledKernel> kernels;  // each once, in order of launches

  const AssembledKernel* find(std::string_view kernel) const;
};

// Errors ("path: what" or "path:line: key: what") are about the file: what a
// kernel of this dialect cannot have, and the way out.
Result<Assembly> assemble(const KernelSource& kernel,
                          const ProblemSignature& signature,
                          const CompileUnit& unit);

// Whether MLX would compile the same text for this call: a scratch tensor of
// fewer than 8 elements would move to the constant address space.
Result<void> check_call(const KernelSource& kernel, const LaunchPlan& plan);

}  // namespace evoke::metal
