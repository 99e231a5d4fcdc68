#include "evoke/evaluation/judge/opponent.h"

#include <numeric>
#include <utility>

namespace evoke::judge {
namespace {

using Kind = RunnerFault::Kind;

// Looked at before anything is raced on a device with memory of its own.
constexpr std::size_t kFirstSlots = 8;

}  // namespace

Opponent::Opponent(Workbench& bench, Inputs inputs, std::string name,
                   KernelBuild build, OpponentOptions options)
    : bench_(bench),
      inputs_(std::move(inputs)),
      name_(std::move(name)),
      build_(std::move(build)),
      options_(options) {}

Opponent::Opponent(Workbench& bench, Inputs inputs, std::string baseline,
                   OpponentOptions options)
    : bench_(bench),
      inputs_(std::move(inputs)),
      name_(std::move(baseline)),
      options_(options) {}

RunnerResult<std::shared_ptr<Opponent::Side>> Opponent::side() {
  const std::lock_guard lock(mutex_);
  if (side_ && side_->runner->usable()) return side_;
  auto runner =
      build_ ? bench_.lasting_runner() : bench_.baseline_runner(name_);
  if (!runner) return fault_of(runner);
  const auto share = bench_.lock().share(bench_.stop());
  if (!share) return fault(Kind::cancelled, "cancelled");
  auto started = fresh_side(std::move(*runner), /*practice_calls=*/0,
                            std::vector<bool>(inputs_.size(), false));
  if (started) side_ = *started;
  return started;
}

void Opponent::restart() {
  const std::lock_guard lock(mutex_);
  side_.reset();
}

std::string Opponent::version() const {
  const std::lock_guard lock(mutex_);
  return side_ && !build_ ? side_->runner->greeting().baseline_version : "";
}

RunnerResult<std::shared_ptr<Opponent::Side>> Opponent::fresh_side(
    std::shared_ptr<Runner> runner, int practice_calls,
    const std::vector<bool>& left_out) {
  const auto side = std::make_shared<Side>();
  side->cache_state = options_.cache_state;
  side->runner = runner;
  if (build_) side->kernel.emplace(std::move(runner), *build_);
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    if (left_out.at(i)) {
      side->arms.emplace_back();
      side->notes.emplace_back();
      continue;
    }
    auto added = add_arm(*side, inputs_[i], practice_calls);
    if (!added) return fault_of(added);
  }
  return side;
}

RunnerResult<void> Opponent::add_arm(
    Side& side, const std::shared_ptr<TimingInputs>& inputs,
    int practice_calls) {
  std::vector<int> slots =
      slots_for(options_.cache_state, inputs->num_copies());
  auto arm = build_ ? Arm::of_kernel(name_, *side.kernel, inputs, slots)
                    : Arm::of_baseline(side.runner, inputs, slots);
  if (!arm) return fault_of(arm);
  const auto leave_out = [&](std::string why) {
    side.arms.emplace_back();
    side.notes.push_back(std::move(why));
  };
  if (practice_calls > 0) {
    slots = inputs->next_copies(practice_calls);
  } else {
    std::iota(slots.begin(), slots.end(), 0);
    // The others when they are raced on: each has to be brought there first.
    if (bench_.greeting().own_clock) {
      slots.resize(std::min(slots.size(), kFirstSlots));
    }
  }
  // The first call of all may set much up; the second one tells.
  for (const std::size_t count :
       {std::size_t{1}, std::min<std::size_t>(2, slots.size()), slots.size()}) {
    auto failure = (*arm)->ensure(std::span<const int>(slots).first(count),
                                  options_.call_timeout_ms);
    if (!failure && !build_ && failure.error().kind == Kind::refused) {
      leave_out(failure.error().message);
      return {};
    }
    if (!failure) return fault_of(failure);
    if (*failure) {
      return fault(Kind::unavailable,
                   name_ + " cannot be raced against: " + (*failure)->message);
    }
    if (!build_ && count > 1 &&
        (*arm)->estimated_us() > options_.longest_baseline_call_ms * 1e3) {
      leave_out("one call takes " +
                std::to_string((*arm)->estimated_us() * 1e-6) + " s");
      return {};
    }
  }
  side.notes.push_back((*arm)->wrong());
  side.arms.push_back(std::move(*arm));
  return {};
}

}  // namespace evoke::judge
