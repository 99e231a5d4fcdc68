// The kernels that a run starts from.
#pragma once

#include <string>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/core/kernel_source.h"
#include "evoke/core/problem.h"
#include "evoke/evolution/evolution.h"

namespace evoke::cli {

struct SeedKernel {
  std::string name;  // the file's name without folder and extension
  KernelSource source;
  // Shapes of the workload that no variant takes: it cannot found a run.
  std::vector<std::string> uncovered = {};
};

// The files named, or the built-in kernels of this dialect.
Result<std::vector<SeedKernel>> read_seeds(
    const std::vector<std::string>& paths, Dialect dialect,
    const ProblemSignature& signature, const Workload& workload);

// Those that cover the workload. `failed` when there is none, saying what is
// missing.
Result<std::vector<SeedKernel>> keep_founders(std::vector<SeedKernel> seeds);
std::vector<Founder> to_founders(const std::vector<SeedKernel>& seeds);

}  // namespace evoke::cli
