// The correctness gate for one kernel in one runner: runs cases, poisons what
// a call may write before every call, and probes for kernels that are right
// for the wrong reason. The comparison with the truth is the problem's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "evoke/base/rng.h"
#include "evoke/core/outcome.h"
#include "evoke/core/problem.h"
#include "evoke/evaluation/judge/call_memory.h"
#include "evoke/evaluation/judge/case_pool.h"
#include "evoke/evaluation/judge/device_memory.h"
#include "evoke/evaluation/judge/loaded_kernel.h"

namespace evoke::judge {

struct GateOptions {
  int64_t call_timeout_ms = 10'000;
  // The first case of each variant, and a random share of the others, are
  // also run after single elements of their inputs changed in place, and
  // after the program was loaded anew.
  bool probe_variants = true;
  double probe_share = 0.1;
  // Calls of the first case of each variant with scratch, all bitwise equal.
  int scratch_repeats = 0;
  bool verify_inputs = false;  // hash them afterwards, too
};

struct CaseResult {
  std::string label;
  std::optional<OutcomeKind> failure;  // empty: right
  std::string message;                 // fit for a prompt; empty when right
  // What a device that watches its kernels saw, in its words: what makes the
  // case fail ("race in device memory"), and what is worth a word.
  std::string finding;
  std::vector<std::string> notes;
  CheckReport report;
  double elapsed_ms = 0;
  bool passed_before = false;  // see PassedCases
};

class Gate {
 public:
  // What the largest case so far needs of `memory` is taken before anything is
  // launched, and kept until the gate goes. `stop` ends the wait for it.
  Gate(LoadedKernel& kernel, GateOptions options, uint64_t rng_seed,
       DeviceMemory* memory = nullptr, std::function<bool()> stop = {});
  ~Gate() { workspace_.give_back(); }
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  // Faults that end the runner are in the result as well.
  CaseResult check(const PooledCase& pooled);

 private:
  // One way of binding a call: its inputs' buffer, its place in the workspace.
  struct Binding {
    int call = 0;
    int64_t output_offset = 0;
    int64_t scratch_offset = 0;
  };
  // Everything that is fixed for one case.
  struct Context;

  RunnerResult<void> take_memory(const Context& context);
  RunnerResult<void> run_case(const PooledCase& pooled, CaseResult& result);
  RunnerResult<std::vector<Binding>> bind(Context& context,
                                          const std::vector<int>& inputs);
  // Runs once and keeps the output allocation. False: `result` says why.
  RunnerResult<bool> run_once(Context& context, const Binding& binding,
                              std::vector<std::byte>& output,
                              CaseResult& result);
  // False: `result` says what the device saw that is wrong.
  bool take_findings(CaseResult& result) const;
  RunnerResult<bool> probe_change(Context& context, CaseResult& result);
  RunnerResult<bool> probe_reload(Context& context, CaseResult& result);
  RunnerResult<bool> repeat(Context& context, const Binding& binding,
                            CaseResult& result);
  RunnerResult<bool> explain_difference(Context& context, const Binding& first,
                                        CaseResult& result);

  LoadedKernel& kernel_;
  GateOptions options_;
  Rng rng_;
  DeviceMemory* memory_;  // null: not counted
  std::function<bool()> stop_;
  std::optional<DeviceMemory::Share> share_;
  Workspace workspace_;
  std::set<std::size_t> probed_variants_;
};

}  // namespace evoke::judge
