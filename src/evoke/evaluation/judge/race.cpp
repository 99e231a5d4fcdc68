#include "evoke/evaluation/judge/race.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "evoke/evaluation/judge/clock_probe.h"

namespace evoke::judge {
namespace {

// A block of the slower arm lasts at most so many times the asked length.
constexpr double kLongestBlocks = 4;

}  // namespace

int calls_per_block(double block_ms, double first_us, double second_us,
                    int num_slots) {
  const double quicker_us = std::max(std::min(first_us, second_us), 0.1);
  const double slower_us = std::max({first_us, second_us, 0.1});
  // Against something very slow a block of the quicker one may be short: the
  // difference will not be missed.
  const double most = kLongestBlocks * block_ms * 1000 / slower_us;
  const double calls = std::min(std::ceil(block_ms * 1000 / quicker_us), most);
  if (!(calls <= num_slots)) return num_slots;
  return std::max(static_cast<int>(calls), 1);
}

Race::Race(std::shared_ptr<TimingInputs> inputs, Arm& baseline, Arm& candidate,
           RaceOptions options, uint64_t rng_seed)
    : inputs_(std::move(inputs)),
      baseline_(baseline),
      candidate_(candidate),
      options_(options),
      rng_(rng_seed) {}

// Cold: the next copies of the rotation, in random order.
std::vector<int> Race::next_slots() {
  const int count = options_.calls_per_block;
  if (options_.cache_state == CacheState::warm) {
    std::vector<int> slots(static_cast<std::size_t>(count));
    std::iota(slots.begin(), slots.end(), 0);
    return slots;
  }
  std::vector<int> slots = inputs_->next_copies(count);
  rng_.shuffle(slots);
  return slots;
}

Race::Plan Race::plan_pair() {
  const bool candidate_first = rng_.chance(0.5);
  Plan plan(4);
  for (std::size_t i = 0; i < plan.size(); ++i) {
    const bool outer = i == 0 || i == 3;
    plan[i].candidate = outer == candidate_first;
    plan[i].slots = next_slots();
  }
  return plan;
}

RunnerResult<void> Race::plan_next_pair() {
  planned_.push_back(plan_pair());
  for (const Block& block : planned_.back()) {
    Arm& arm = block.candidate ? candidate_ : baseline_;
    auto bound = arm.bind(block.slots);
    if (!bound) return bound;
  }
  return {};
}

RunnerResult<void> Race::prepare(int num_pairs) {
  while (static_cast<int>(planned_.size()) < num_pairs) {
    auto planned = plan_next_pair();
    if (!planned) return planned;
  }
  return {};
}

RunnerResult<void> Race::run_pair(std::optional<ArmFailure>& failure) {
  if (planned_.empty()) {
    auto planned = plan_next_pair();
    if (!planned) return planned;
  }
  const Plan plan = std::move(planned_.front());
  planned_.pop_front();
  TimedPair pair;
  double slowest_ns = 0;
  double quickest_ns = std::numeric_limits<double>::infinity();
  const bool own_clock = candidate_.has_own_clock();
  const auto probe = [&] {
    if (own_clock) return;
    const double ns = probe_clock_ns();
    slowest_ns = std::max(slowest_ns, ns);
    quickest_ns = std::min(quickest_ns, ns);
  };
  const double calls = options_.calls_per_block;
  bool timed = true;
  for (const Block& block : plan) {
    Arm& arm = block.candidate ? candidate_ : baseline_;
    const Arm::StandStill other(block.candidate ? baseline_ : candidate_);
    auto staged = arm.stage(block.slots, options_.timeout_ms);
    if (!staged) return staged;
    probe();
    auto ns = arm.go(options_.timeout_ms);
    if (!ns) return fault_of(ns);
    // At once, so that nobody finishes what was said to be done.
    auto verified = arm.verify();
    if (!verified) return fault_of(verified);
    probe();
    double& side = block.candidate ? pair.candidate_us : pair.baseline_us;
    timed = timed && ns->has_value();
    side += static_cast<double>(ns->value_or(0)) * 1e-3 / calls / 2;
    if (*verified) {
      if (!block.candidate) {
        return fault(RunnerFault::Kind::unavailable,
                     arm.name() + " is wrong itself: " + (*verified)->message);
      }
      failure = **verified;
      return {};
    }
  }
  const bool steady =
      own_clock || slowest_ns <= quickest_ns * (1 + options_.max_probe_change);
  if (!timed || !steady) {
    ++discarded_pairs_;
    return {};
  }
  pairs_.push_back(pair);
  return {};
}

ShapeMeasurement Race::measurement() const {
  ShapeMeasurement shape;
  shape.shape = inputs_->shape().name;
  shape.baseline = baseline_.name();
  shape.cache_state = options_.cache_state;
  shape.pairs = pairs_;
  shape.discarded_pairs = discarded_pairs_;
  shape.calls_per_block = options_.calls_per_block;
  return shape;
}

}  // namespace evoke::judge
