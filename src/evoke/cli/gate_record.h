// What passing the gate leaves behind: the record that lets a kernel into a
// model (core/verified_kernel.h).
#pragma once

#include <optional>
#include <string>

#include "evoke/cli/kernel_file.h"
#include "evoke/cli/laboratory.h"
#include "evoke/core/problem.h"
#include "evoke/evaluation/judge/verify.h"

namespace evoke::cli {

// Decode steps, prompts and their chunks with the heads of a model, from
// "16-8-128" (query heads, key-value heads, head_dim). Throws UsageError.
Workload workload_of_heads(const std::string& heads);
// The label of the heads that all shapes share; empty: they differ.
std::optional<std::string> heads_of(const Workload& workload);

// `report` must be right. Throws StartupError.
void record_passed_gate(const Laboratory& laboratory, const KernelFile& file,
                        const judge::VerifyReport& report,
                        const std::string& heads, GateLevel level);

}  // namespace evoke::cli
