#include "evoke/evaluation/judge/loaded_kernel.h"

#include <utility>

namespace evoke::judge {
namespace {

// Nothing of this runs candidate code.
constexpr int64_t kSetupTimeoutMs = 30'000;

}  // namespace

RunnerResult<int> LoadedKernel::program_of(const CompileUnit& unit) {
  const auto found = programs_.find(unit);
  if (found != programs_.end()) return found->second;
  const auto compiled = build_->units().find(unit);
  if (compiled == build_->units().end()) {
    return fault(RunnerFault::Kind::unavailable,
                 "a unit was asked for that was not compiled");
  }
  protocol::Load load{compiled->second->compiled.artifact};
  auto loaded = runner_->call(load, kSetupTimeoutMs);
  if (!loaded) return fault_of(loaded);
  programs_[unit] = loaded->program;
  return loaded->program;
}

RunnerResult<std::vector<int>> LoadedKernel::prepare(
    const LaunchPlan& plan, const std::vector<TensorLayout>& layouts,
    const std::vector<protocol::Placements>& placements) {
  auto program = program_of(unit_of(plan));
  if (!program) return fault_of(program);
  protocol::Prepare request{*program, plan, layouts, placements};
  auto prepared = runner_->call(request, kSetupTimeoutMs);
  if (!prepared) return fault_of(prepared);
  if (prepared->calls.size() != placements.size()) {
    runner_->cancel();
    return fault(RunnerFault::Kind::garbage,
                 "the runner prepared another number of calls");
  }
  return std::move(prepared->calls);
}

RunnerResult<void> LoadedKernel::release(const std::vector<int>& calls) {
  auto released = runner_->call(protocol::Release{calls}, kSetupTimeoutMs);
  if (!released) return fault_of(released);
  return {};
}

RunnerResult<void> LoadedKernel::run(const std::vector<int>& calls,
                                     int64_t timeout_ms) {
  protocol::Stage stage;
  stage.calls = calls;
  stage.collect = true;
  stage.inputs = std::exchange(inputs_changed_, false);
  const Runner::OneShare share(*runner_);
  auto staged = runner_->call(stage, kSetupTimeoutMs);
  if (!staged) return fault_of(staged);
  auto ran = runner_->call(protocol::Go{}, timeout_ms);
  if (!ran) return fault_of(ran);
  damage_ = std::move(ran->damage);
  findings_ = std::move(ran->findings);
  return {};
}

RunnerResult<void> LoadedKernel::unload() {
  for (const auto& [unit, program] : programs_) {
    auto unloaded = runner_->call(protocol::Unload{program}, kSetupTimeoutMs);
    if (!unloaded) return fault_of(unloaded);
  }
  programs_.clear();
  return {};
}

}  // namespace evoke::judge
