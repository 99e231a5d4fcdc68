#include "evoke/compare/pair_loop.h"

#include <algorithm>
#include <utility>

#include "evoke/base/clock.h"
#include "evoke/base/rng.h"

namespace evoke::compare {
namespace {

struct PlannedPair {
  const Scenario* scenario = nullptr;
  int index = 0;
  bool kernel_first = false;
};

// Each round has every scenario once, in an order of its own: what drifts
// during hours meets all of them alike. Per scenario the kernel is first in
// half of its pairs.
std::vector<PlannedPair> plan_pairs(const LoopOptions& options) {
  Rng rng(options.seed);
  std::vector<std::vector<bool>> orders;
  for (std::size_t s = 0; s < options.scenarios.size(); ++s) {
    std::vector<bool> order;
    for (int i = 0; i < options.pairs; ++i) order.push_back(i % 2 == 0);
    for (std::size_t i = order.size(); i > 1; --i) {
      const std::size_t other = rng.below(i);
      const bool kept = order[i - 1];
      order[i - 1] = order[other];
      order[other] = kept;
    }
    orders.push_back(std::move(order));
  }
  std::vector<PlannedPair> planned;
  for (int i = 0; i < options.pairs; ++i) {
    std::vector<std::size_t> round;
    for (std::size_t s = 0; s < options.scenarios.size(); ++s) {
      round.push_back(s);
    }
    rng.shuffle(round);
    for (const std::size_t s : round) {
      planned.push_back(
          {&options.scenarios[s], i,
           options.with_kernel && orders[s][static_cast<std::size_t>(i)]});
    }
  }
  return planned;
}

// Remembers how long runs take per token, to say how long is left.
class Clock {
 public:
  Clock(const LoopOptions& options, int all) : options_(options) {
    now_.all = all;
  }

  void skip(const Scenario& scenario, int processes) {
    now_.done += processes;
    cost_left_ -= cost(scenario) * processes;
  }
  void plan(const Scenario& scenario, int processes) {
    cost_left_ += cost(scenario) * processes;
  }
  void begin(const Scenario& scenario) {
    now_.scenario = scenario.name;
    show();
    began_ms_ = monotonic_ms();
  }
  void end(const Scenario& scenario) {
    spent_ms_ += monotonic_ms() - began_ms_;
    spent_cost_ += cost(scenario);
    skip(scenario, 1);
    now_.scenario.clear();
    now_.left_s = spent_ms_ / spent_cost_ * cost_left_ / 1e3;
    if (now_.done == now_.all) show();
  }

 private:
  // Loading the model and reading the prompt cost about so many tokens.
  static constexpr double kStartCost = 40;
  static double cost(const Scenario& scenario) {
    return kStartCost + scenario.max_tokens;
  }
  void show() const {
    if (options_.progress) options_.progress(now_);
  }

  const LoopOptions& options_;
  LoopProgress now_;
  double began_ms_ = 0;
  double spent_ms_ = 0;
  double spent_cost_ = 0;
  double cost_left_ = 0;
};

class Loop {
 public:
  Loop(const LoopOptions& options, PairJournal& journal, const StartRun& start)
      : options_(options),
        journal_(journal),
        start_(start),
        clock_(options, num_processes()) {}

  Result<void> run() {
    for (const Scenario& each : options_.scenarios) {
      clock_.plan(each, options_.pairs * sides() + (agrees() ? 1 : 0));
    }
    std::vector<PlannedPair> missing;
    for (const PlannedPair& each : plan_pairs(options_)) {
      if (is_done(each)) {
        clock_.skip(*each.scenario, sides());
      } else {
        missing.push_back(each);
      }
    }
    for (const PlannedPair& each : missing) {
      if (auto done = run_pair(each); !done) return done;
    }
    for (const Scenario& each : options_.scenarios) {
      if (!agrees()) break;
      if (journal_.agreements().contains(each.name)) {
        clock_.skip(each, 1);
        continue;
      }
      auto agreement = run_one(each, RunKind::agreement);
      if (!agreement) return error_of(agreement);
      auto added = journal_.add_agreement(each.name, *agreement);
      if (!added) return added;
    }
    return {};
  }

 private:
  int sides() const { return options_.with_kernel ? 2 : 1; }
  bool agrees() const {
    return options_.with_kernel && options_.with_agreement;
  }
  int num_processes() const {
    return static_cast<int>(options_.scenarios.size()) *
           (options_.pairs * sides() + (agrees() ? 1 : 0));
  }

  bool is_done(const PlannedPair& planned) const {
    const auto& pairs = journal_.pairs();
    return std::any_of(pairs.begin(), pairs.end(), [&](const RunPair& each) {
      return each.scenario == planned.scenario->name &&
             each.index == planned.index;
    });
  }

  Result<Json> run_one(const Scenario& scenario, RunKind kind) {
    clock_.begin(scenario);
    auto json = start_(scenario, kind);
    if (!json) return json;
    clock_.end(scenario);
    return json;
  }

  Result<void> run_pair(const PlannedPair& planned) {
    RunPair pair;
    pair.scenario = planned.scenario->name;
    pair.index = planned.index;
    pair.kernel_first = planned.kernel_first;
    for (int side = 0; side < sides(); ++side) {
      const bool kernel = (side == 0) == planned.kernel_first;
      auto json = run_one(*planned.scenario,
                          kernel ? RunKind::kernel : RunKind::baseline);
      if (!json) return error_of(json);
      auto sample = sample_from_json(*json);
      if (!sample) return error_of(sample);
      if (kernel) {
        pair.kernel = std::move(*sample);
      } else {
        pair.baseline = std::move(*sample);
      }
    }
    return journal_.add(pair);
  }

  const LoopOptions& options_;
  PairJournal& journal_;
  const StartRun& start_;
  Clock clock_;
};

}  // namespace

Result<void> run_pairs(const LoopOptions& options, PairJournal& journal,
                       const StartRun& start) {
  return Loop(options, journal, start).run();
}

}  // namespace evoke::compare
