// A built kernel in an execute runner. Belongs to one thread at a time.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "evoke/core/device_finding.h"
#include "evoke/core/launch_plan.h"
#include "evoke/core/tensor.h"
#include "evoke/evaluation/judge/kernel_build.h"
#include "evoke/evaluation/judge/runner.h"

namespace evoke::judge {

class LoadedKernel {
 public:
  // All units that will be asked for must be compiled in `build`, without
  // error. Loads each when it is first needed.
  LoadedKernel(std::shared_ptr<Runner> runner, const KernelBuild& build)
      : runner_(std::move(runner)), build_(&build) {}

  // Calls of one plan: tensors in the signature's order, then scratch.
  RunnerResult<std::vector<int>> prepare(
      const LaunchPlan& plan, const std::vector<TensorLayout>& layouts,
      const std::vector<protocol::Placements>& placements);
  RunnerResult<void> release(const std::vector<int>& calls);
  // Runs the calls and waits for them.
  RunnerResult<void> run(const std::vector<int>& calls, int64_t timeout_ms);
  // What the latest run did to memory that the judge cannot see; empty when
  // nothing.
  const std::string& damage() const { return damage_; }
  // What the device saw of the latest run; what is wrong comes first.
  const std::vector<DeviceFinding>& findings() const { return findings_; }
  // Inputs of prepared calls were written: the next run has to see it.
  void inputs_changed() { inputs_changed_ = true; }
  // Forgets all programs; their calls must be released. The next prepare()
  // loads anew.
  RunnerResult<void> unload();

  Runner& runner() const { return *runner_; }
  const std::shared_ptr<Runner>& shared_runner() const { return runner_; }
  const KernelBuild& build() const { return *build_; }

 private:
  RunnerResult<int> program_of(const CompileUnit& unit);

  std::shared_ptr<Runner> runner_;
  const KernelBuild* build_;
  std::map<CompileUnit, int> programs_;
  std::string damage_;
  std::vector<DeviceFinding> findings_;
  bool inputs_changed_ = false;
};

}  // namespace evoke::judge
