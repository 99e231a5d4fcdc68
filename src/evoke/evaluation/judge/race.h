// Two arms against each other at one shape: ABBA blocks in random order,
// timed by the judge's clock around a request to run k calls.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "evoke/base/rng.h"
#include "evoke/core/measurements.h"
#include "evoke/evaluation/judge/arm.h"
#include "evoke/evaluation/judge/timing_inputs.h"

namespace evoke::judge {

struct RaceOptions {
  CacheState cache_state = CacheState::cold;
  int calls_per_block = 1;
  // A pair whose clock probes differ by more than this is thrown away and
  // counted (clock_probe.h).
  double max_probe_change = 0.06;
  int64_t timeout_ms = 20'000;  // of one block
};

// k, so that a block lasts `block_ms` on the quicker arm; at most the slots
// there are.
int calls_per_block(double block_ms, double first_us, double second_us,
                    int num_slots);

class Race {
 public:
  // Both arms have the same slots over the same inputs.
  Race(std::shared_ptr<TimingInputs> inputs, Arm& baseline, Arm& candidate,
       RaceOptions options, uint64_t rng_seed);

  // Plans up to so many pairs and makes both arms ready for them: untimed
  // work that need not wait for the exclusive lock. The candidate's process
  // meets a copy of the inputs for the first time when it is timed on it, or
  // did so in an earlier pair.
  RunnerResult<void> prepare(int num_pairs);
  // Times one planned pair (planning one more when there is none left).
  // Nothing else of ours may run meanwhile.
  RunnerResult<void> run_pair(std::optional<ArmFailure>& failure);

  const std::vector<TimedPair>& pairs() const { return pairs_; }
  int discarded_pairs() const { return discarded_pairs_; }
  int calls_per_block() const { return options_.calls_per_block; }
  // Everything but weight, roof, confidence and minimum effect, which the
  // caller knows; call summarize() afterwards.
  ShapeMeasurement measurement() const;

 private:
  struct Block {
    bool candidate = false;
    std::vector<int> slots;
  };
  using Plan = std::vector<Block>;  // four blocks, ABBA or BAAB
  Plan plan_pair();
  std::vector<int> next_slots();
  RunnerResult<void> plan_next_pair();

  std::shared_ptr<TimingInputs> inputs_;
  Arm& baseline_;
  Arm& candidate_;
  RaceOptions options_;
  Rng rng_;
  std::deque<Plan> planned_;
  std::vector<TimedPair> pairs_;
  int discarded_pairs_ = 0;
};

}  // namespace evoke::judge
