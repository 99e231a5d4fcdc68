// The gate tested with real kernels: each fault of kernels/mutants/ is compiled
// by the device's compiler, run in a runner and judged as any candidate is.
// attention/selftest.h does the same with emulations, on any machine.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "evoke/attention/kernel_mutants.h"
#include "evoke/attention/selftest.h"
#include "evoke/base/json.h"
#include "evoke/cli/laboratory.h"
#include "evoke/core/problem.h"

namespace evoke::cli {

struct KernelSelftestOptions {
  GateLevel level = GateLevel::gate;
  int num_workers = 1;
  std::vector<std::string> only;  // names of mutants; empty: all
  // After each kernel, on any thread, one call at a time: how many are done,
  // of how many.
  std::function<void(int, int)> progress;
  std::function<bool()> stop;
};

struct KernelSelftestRow {
  attention::KernelMutant mutant;
  attention::SelftestState state = attention::SelftestState::not_tried;
  // By kind of input: cases accepted, of all.
  std::map<std::string, attention::SelftestCell> cells;
  std::map<std::string, int> failures;  // by outcome: how many cases
  std::string message;  // of the first failure, or why it was not tried
};

struct KernelSelftestReport {
  std::string device;
  std::string device_name;
  std::string workload;
  GateLevel level = GateLevel::gate;
  std::vector<std::string> inputs;  // the columns
  std::vector<KernelSelftestRow> rows;
  double elapsed_s = 0;
  bool passed = false;
  std::string verdict;  // one line
};

// Throws StartupError when the machine fails, not when a kernel does, and
// UsageError where the device's dialect has no mutants or `only` names none.
KernelSelftestReport run_kernel_selftest(const Laboratory& laboratory,
                                         const KernelSelftestOptions& options);

std::string to_text(const KernelSelftestReport& report);
std::string to_markdown(const KernelSelftestReport& report);
Json to_json(const KernelSelftestReport& report);

}  // namespace evoke::cli
