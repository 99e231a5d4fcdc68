// Gate cases that some code has passed. A file of many variants is mostly like
// its parent, and the same code that is launched in the same way on the same
// inputs has the same answer. For searches; a confirmation draws fresh inputs
// and runs every case.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "evoke/evaluation/judge/gate.h"
#include "evoke/evaluation/judge/kernel_build.h"

namespace evoke::judge {

// Thread-safe.
class PassedCases {
 public:
  // Everything that a case's result depends on: the inputs, the code and its
  // launches, what is looked for. Empty: this build has no code for the case.
  static std::string key(const PooledCase& pooled, const KernelBuild& build,
                         const GateOptions& options);

  std::optional<CaseResult> find(const std::string& key) const;
  // One that passed.
  void add(const std::string& key, const CaseResult& result);

 private:
  static constexpr std::size_t kMost = 100'000;  // then all are forgotten

  mutable std::mutex mutex_;
  std::map<std::string, CaseResult> passed_;
};

}  // namespace evoke::judge
