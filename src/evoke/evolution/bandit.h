// Divides the effort between arms (operations, models, proposers): an upper
// confidence bound on improvement per cost, over the latest pulls only, since
// what pays early in a search does not pay late. Asymmetric: a child better
// than its parent counts, a worse one is merely nothing gained.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "evoke/base/rng.h"
#include "evoke/evolution/fingerprint.h"

namespace evoke {

struct BanditConfig {
  std::size_t window = 120;   // pulls that are remembered
  double exploration = 0.35;  // weight of the confidence bound
  double uniform = 0.5;       // share of pulls that ignore the bound
  // A pull counts as at least this share of the mean cost, so that a failure
  // that cost nothing does not look like a bargain.
  double least_cost_share = 0.1;
};

class Bandit {
 public:
  // `weights`: of the arms in pulls that ignore the bound; empty: equal.
  explicit Bandit(std::vector<std::string> arms, BanditConfig config = {},
                  std::vector<double> weights = {});

  const std::vector<std::string>& arms() const { return arms_; }
  // `in_flight`: pulls of each arm whose reward is not known yet; they count
  // as pulls that gained nothing, so that parallel choices differ.
  // `open`: arms that may be chosen now, at least one; empty: all.
  std::size_t choose(const std::vector<int>& in_flight, Rng& rng,
                     const std::vector<bool>& open = {}) const;
  // reward >= 0, cost >= 0. An unknown arm is ignored.
  void update(std::string_view arm, double reward, double cost);
  // arms().size() when unknown.
  std::size_t index_of(std::string_view arm) const;

  struct ArmState {
    int pulls = 0;
    double reward = 0;
    double cost = 0;
  };
  // Sums over the window, per arm.
  std::vector<ArmState> state() const;
  void add_to(Fingerprint& fingerprint) const;

 private:
  struct Pull {
    std::size_t arm = 0;
    double reward = 0;
    double cost = 0;
  };
  // Regardless of what is known.
  std::size_t any(const std::vector<std::size_t>& open, Rng& rng) const;

  std::vector<std::string> arms_;
  BanditConfig config_;
  std::vector<double> weights_;  // empty: equal
  std::deque<Pull> window_;
};

}  // namespace evoke
