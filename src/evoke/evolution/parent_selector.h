// Chooses parents and what else a proposer is shown.
#pragma once

#include <string_view>
#include <vector>

#include "evoke/base/rng.h"
#include "evoke/core/run_config.h"
#include "evoke/evolution/archive.h"

namespace evoke {

enum class SelectionMode { exploit, explore, curiosity };
std::string_view to_string(SelectionMode mode);

class ParentSelector {
 public:
  // Exploiting takes rank r with a probability that falls as kDecay^r, among
  // those that are slower than the best by at most kClose (5 %). Finding the
  // rank costs kDecay / (1 - kDecay) steps on average.
  static constexpr double kDecay = 0.5;
  static constexpr double kClose = 0.05;
  // Elites slower than the best by more than this (a factor of three) are
  // not explored: their children take long to judge and rarely get ahead.
  // They are shown as inspirations all the same.
  static constexpr double kReach = 1.0986;

  // Throws UsageError unless the shares are >= 0 and one is > 0.
  explicit ParentSelector(const SelectionConfig& config);

  struct Choice {
    const Elite* elite = nullptr;
    SelectionMode mode = SelectionMode::exploit;
  };
  // The archive must not be empty. What is out of reach gives way to an elite
  // by rank.
  Choice select(const Archive& archive, Rng& rng) const;

  // At most `count` elites, distinct and none of them `parent`: the best
  // ones first for half of them, the others uniform over cells; in order of
  // rank.
  std::vector<const Elite*> inspirations(const Archive& archive,
                                         CandidateId parent, int count,
                                         Rng& rng) const;

 private:
  double exploit_ = 0;  // cumulated
  double explore_ = 0;
};

}  // namespace evoke
