#include "evoke/evaluation/judge/passed_cases.h"

#include "evoke/base/hash.h"
#include "evoke/base/json.h"

namespace evoke::judge {

std::string PassedCases::key(const PooledCase& pooled, const KernelBuild& build,
                             const GateOptions& options) {
  const GateCase& gate_case = pooled.prepared->gate_case();
  const Json code = build.identity_at(gate_case.shape);
  if (code.is_null()) return {};
  const Json all = {gate_case.label(),
                    pooled.inputs_hash,
                    code,
                    build.source().plan().atomics,
                    options.probe_variants,
                    options.scratch_repeats,
                    options.verify_inputs};
  return hash_hex(all.dump());
}

std::optional<CaseResult> PassedCases::find(const std::string& key) const {
  const std::lock_guard lock(mutex_);
  const auto found = passed_.find(key);
  if (found == passed_.end()) return std::nullopt;
  return found->second;
}

void PassedCases::add(const std::string& key, const CaseResult& result) {
  const std::lock_guard lock(mutex_);
  if (passed_.size() >= kMost) passed_.clear();
  CaseResult& kept = passed_[key] = result;
  kept.elapsed_ms = 0;
  kept.passed_before = true;
}

}  // namespace evoke::judge
