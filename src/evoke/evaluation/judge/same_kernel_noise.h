// What races of a kernel against itself have shown: how far medians stray on
// this machine when nothing differs. Thread-safe.
#pragma once

#include <map>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "evoke/core/measurements.h"
#include "evoke/core/problem.h"

namespace evoke::judge {

class SameKernelNoise {
 public:
  // Of one shape: the pairs of each race. Pairs of one race may share what
  // chance gave its processes, those of different races share nothing.
  using Races = std::vector<std::vector<TimedPair>>;

  // Races of shapes, in the place of earlier ones.
  void add(std::map<std::string, Races> shapes);
  bool knows(const std::string& shape) const;
  // What the kernel took for a call; 0 at a shape that was not raced.
  double usual_us(const std::string& shape) const;
  // Log ratio that `num_pairs` pairs can tell; at a shape that was not raced
  // the largest of all. 0 when nothing is known.
  double minimum_effect(const std::string& shape, int num_pairs) const;
  // The same for the weighted mean over shapes.
  double minimum_weighted_effect(std::span<const WorkloadShape> shapes,
                                 int num_pairs) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, Races> shapes_;
  mutable std::map<std::pair<std::string, int>, double> effects_;
};

}  // namespace evoke::judge
