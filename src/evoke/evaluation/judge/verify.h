// The gate alone, on every case, for a person who wants to see all of it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "evoke/core/outcome.h"
#include "evoke/core/problem.h"
#include "evoke/core/verified_kernel.h"
#include "evoke/evaluation/judge/gate.h"
#include "evoke/evaluation/judge/workbench.h"

namespace evoke::judge {

struct VerifyOptions {
  GateLevel level = GateLevel::full;
  GateOptions gate{
      .call_timeout_ms = 60'000, .scratch_repeats = 100, .verify_inputs = true};
  // Picks inputs from the pool, the same for the same number, so that they are
  // made once for many kernels; without it all are fresh.
  std::optional<uint64_t> draw;
  // After each case: how many are done, of how many.
  std::function<void(const CaseResult&, int, int)> progress;
  std::function<bool()> stop;
};

struct VerifyReport {
  // Not even run: a plan or a compilation that failed.
  std::optional<Workbench::Refusal> refusal;
  std::vector<std::string> shapes_left_out;  // of the workload: no variant
  std::vector<CaseResult> cases;
  std::vector<VerifiedUnit> units;  // what was judged
  bool right() const;
};

// Goes on after a failure, in a fresh runner where one ended. Faults: the
// machine's.
RunnerResult<VerifyReport> verify(Workbench& bench, const std::string& text,
                                  const std::string& path,
                                  const Workload& workload,
                                  const VerifyOptions& options);

}  // namespace evoke::judge
