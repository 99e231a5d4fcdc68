// From what a Python program was seen to do (program_record.h) to a kernel
// file of the metal dialect.
//
// Programs of others: sizes become the expressions that fit every sample, and
// samples that launch alike become one variant. MLX's copies of inputs that
// are not contiguous become launches of their own ("pack_..."), since kernel
// files honour strides; template arguments that depend on B, Lq or Lk become
// run-time integers, and array bounds made of them parameters.
// Programs that evoke exported carry their plan; only code is taken from what
// they did.
#pragma once

#include <string>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/core/kernel_source.h"
#include "evoke/interchange/program_record.h"

namespace evoke {

// Sizes that programs of others are run at.
std::vector<Symbols> usual_samples();
// Sizes at which every variant of `plan` that can run does, found among many.
// Empty list of names: each variant has one.
struct VariantSamples {
  std::vector<Symbols> samples;
  std::vector<std::string> without;  // variants that no size was found for
};
VariantSamples samples_for(const KernelPlan& plan);

// The plan that an exported program carries.
Result<KernelPlan> plan_of(const ProgramRecord& record,
                           const std::string& path);

// `path` names the program in errors.
Result<KernelSource> import_record(const ProgramRecord& record,
                                   const std::string& path);

}  // namespace evoke
