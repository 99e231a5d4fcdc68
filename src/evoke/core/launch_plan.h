// A kernel file's plan at one shape: every expression evaluated, every limit
// checked, before anything is compiled.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/base/expression.h"
#include "evoke/core/kernel_source.h"
#include "evoke/core/problem.h"
#include "evoke/core/tensor.h"

namespace evoke {

struct DeviceLimits {
  int64_t num_sms = 1;  // cpu: the threads that run threadgroups
  int64_t l2_bytes = 1 << 20;
  int64_t max_threadgroup_memory = 1 << 18;
  int64_t max_threads = 1;  // per threadgroup
  int64_t max_threadgroups = 1 << 30;
  int64_t max_scratch_bytes = int64_t{1} << 31;
};

struct ResolvedScratch {
  std::string name;
  DType type = DType::float32;
  std::vector<int64_t> shape;
  int64_t bytes = 0;
  ScratchInit init = ScratchInit::poison;
  bool self_reset = false;
  bool operator==(const ResolvedScratch&) const = default;
};

// An argument of a launch: the problem's tensor or a scratch tensor.
struct TensorRef {
  bool scratch = false;
  std::size_t index = 0;  // into signature.tensors or LaunchPlan::scratch
  bool operator==(const TensorRef&) const = default;
};

// See TensorMap. Extents come from the tensor's layout, once it is bound.
struct ResolvedTensorMap {
  std::string name;
  TensorRef tensor;
  std::vector<std::vector<int64_t>> order;
  std::vector<int64_t> box;
  std::vector<int64_t> element_strides;
  int64_t swizzle_bytes = 0;
  int64_t l2_promotion_bytes = 0;
  bool operator==(const ResolvedTensorMap&) const = default;
};

struct ResolvedLaunch {
  std::string kernel;
  std::vector<TensorRef> reads;
  std::vector<TensorRef> writes;
  std::array<int64_t, 3> threadgroups{1, 1, 1};
  std::array<int64_t, 3> threads{1, 1, 1};
  int64_t dynamic_memory_bytes = 0;
  // cuda: see CudaLaunch.
  std::vector<std::size_t> tensor_maps;  // into LaunchPlan::tensor_maps
  std::array<int64_t, 3> cluster{1, 1, 1};
  bool nonportable = false;
  bool cooperative = false;
  bool pdl = false;
  bool operator==(const ResolvedLaunch&) const = default;
};

struct LaunchPlan {
  std::size_t variant = 0;  // index into KernelPlan::variants
  Symbols constants;        // compile-time: the problem's and the parameters
  Symbols sizes;            // run-time: B Lq Lk and the derived integers
  std::map<std::string, float> scalars;
  std::vector<ResolvedScratch> scratch;  // what this variant's launches name
  std::vector<ResolvedTensorMap> tensor_maps;  // that the launches list
  std::vector<ResolvedLaunch> launches;

  int64_t scratch_bytes() const;
  bool operator==(const LaunchPlan&) const = default;
};

// Whether a plan fits a problem, at any shape: its problem's name, every name
// in its expressions, its tensors, no name taken twice, every output written.
Result<void> check_signature(const KernelSource& kernel,
                             const ProblemSignature& signature);

// The first variant whose `when` holds, resolved. `absent`: no variant takes
// this shape; `failed`: an expression or a limit, named.
Result<LaunchPlan> resolve(const KernelSource& kernel,
                           const ProblemSignature& signature,
                           const Shape& shape, const DeviceLimits& limits);
// The same where check_signature() has passed, which takes longer than all
// the rest: for those who ask at every new shape of a running program.
Result<LaunchPlan> resolve_checked(const KernelSource& kernel,
                                   const ProblemSignature& signature,
                                   const Shape& shape,
                                   const DeviceLimits& limits);

// What is compiled together: one variant with its constants. Units of two
// shapes that agree in this are compiled once.
struct CompileUnit {
  std::size_t variant = 0;
  Symbols constants;
  auto operator<=>(const CompileUnit&) const = default;
};
inline CompileUnit unit_of(const LaunchPlan& plan) {
  return {plan.variant, plan.constants};
}

}  // namespace evoke
