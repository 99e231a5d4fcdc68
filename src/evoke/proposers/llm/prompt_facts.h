// What a prompt says of the task and the machine, the same for a whole run.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "evoke/core/kernel_source.h"
#include "evoke/core/launch_plan.h"
#include "evoke/core/problem.h"

namespace evoke::llm {

struct ShapeFacts {
  Shape shape;
  double weight = 1.0;  // of this shape in the fitness
  WorkEstimate work;
  double roof_us = 0;  // cold; 0: unknown
};

struct PromptFacts {
  Dialect dialect = Dialect::cpu;
  ProblemSignature signature;
  // With limits at zero nothing is resolved before the judge does.
  DeviceLimits limits;
  std::string device_name;  // "Intel Xeon, 2 threads, avx512_bf16"
  std::vector<std::string> device_features;
  int64_t cache_bytes = 0;         // the last-level cache; 0: unknown
  double read_bytes_per_s = 0;     // measured; 0: unknown
  double flops_per_s = 0;          // measured; 0: unknown
  std::vector<ShapeFacts> shapes;  // the workload
};

}  // namespace evoke::llm
