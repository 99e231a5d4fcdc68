// What candidates are raced against: an implementation that stays, with an
// arm at every shape of a track.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "evoke/evaluation/judge/arm.h"
#include "evoke/evaluation/judge/kernel_build.h"
#include "evoke/evaluation/judge/timing_inputs.h"
#include "evoke/evaluation/judge/workbench.h"

namespace evoke::judge {

struct OpponentOptions {
  CacheState cache_state = CacheState::cold;  // of races against it
  int64_t call_timeout_ms = 10'000;
  // A baseline is left out of shapes where one call takes longer.
  double longest_baseline_call_ms = 500;
};

class Opponent {
 public:
  using Inputs = std::vector<std::shared_ptr<TimingInputs>>;

  // `bench` must outlive it. `build` must be compiled for the inputs' shapes.
  Opponent(Workbench& bench, Inputs inputs, std::string name, KernelBuild build,
           OpponentOptions options);
  // A baseline (baselines/) by name.
  Opponent(Workbench& bench, Inputs inputs, std::string baseline,
           OpponentOptions options);

  // Everything in one runner. Races hold on to the one they began with, and
  // must end before the Opponent does.
  struct Side {
    CacheState cache_state = CacheState::cold;
    std::shared_ptr<Runner> runner;
    std::optional<LoadedKernel> kernel;
    // Per shape; null where a baseline cannot take part.
    std::vector<std::unique_ptr<Arm>> arms;
    std::vector<std::string> notes;  // per shape: why not, or what is wrong
  };
  // Starts it when it is first needed, after restart(), and after its runner
  // ended. Its arms have answered every copy of the inputs then, so that
  // nothing changes in them while candidates prepare beside it.
  RunnerResult<std::shared_ptr<Side>> side();
  // One in `runner`, for the caller alone, which holds the device: it has run
  // so many copies of each shape for practice (0: all of them) and knows none
  // of the others. Shapes left out (one answer for each) have no arm.
  RunnerResult<std::shared_ptr<Side>> fresh_side(
      std::shared_ptr<Runner> runner, int practice_calls,
      const std::vector<bool>& left_out);
  // The next side() is a fresh process.
  void restart();

  // As tables show it, and what it says of its version ("" for kernels).
  const std::string& name() const { return name_; }
  std::string version() const;
  const std::optional<KernelBuild>& build() const { return build_; }

 private:
  RunnerResult<void> add_arm(Side& side,
                             const std::shared_ptr<TimingInputs>& inputs,
                             int practice_calls);

  Workbench& bench_;
  Inputs inputs_;
  std::string name_;
  std::optional<KernelBuild> build_;
  OpponentOptions options_;
  mutable std::mutex mutex_;  // guards side_
  std::shared_ptr<Side> side_;
};

}  // namespace evoke::judge
