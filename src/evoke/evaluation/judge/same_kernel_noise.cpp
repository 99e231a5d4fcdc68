#include "evoke/evaluation/judge/same_kernel_noise.h"

#include <algorithm>
#include <cstdint>

#include "evoke/evaluation/judge/verdict.h"

namespace evoke::judge {
namespace {

constexpr uint64_t kSeed = 1;

}  // namespace

void SameKernelNoise::add(std::map<std::string, Races> shapes) {
  const std::lock_guard lock(mutex_);
  for (auto& [shape, races] : shapes) shapes_[shape] = std::move(races);
  effects_.clear();
}

bool SameKernelNoise::knows(const std::string& shape) const {
  const std::lock_guard lock(mutex_);
  return shapes_.contains(shape);
}

double SameKernelNoise::usual_us(const std::string& shape) const {
  const std::lock_guard lock(mutex_);
  const auto raced = shapes_.find(shape);
  if (raced == shapes_.end()) return 0;
  ShapeMeasurement all;
  for (const auto& race : raced->second) {
    all.pairs.insert(all.pairs.end(), race.begin(), race.end());
  }
  summarize(all);
  return all.baseline_us;
}

double SameKernelNoise::minimum_effect(const std::string& shape,
                                       int num_pairs) const {
  const std::lock_guard lock(mutex_);
  const auto [found, is_new] = effects_.try_emplace({shape, num_pairs}, 0);
  if (!is_new) return found->second;
  double& effect = found->second;
  if (const auto raced = shapes_.find(shape); raced != shapes_.end()) {
    effect = judge::minimum_effect(raced->second, num_pairs, kSeed);
    return effect;
  }
  for (const auto& [name, races] : shapes_) {
    effect = std::max(effect, judge::minimum_effect(races, num_pairs, kSeed));
  }
  return effect;
}

double SameKernelNoise::minimum_weighted_effect(
    std::span<const WorkloadShape> shapes, int num_pairs) const {
  const std::lock_guard lock(mutex_);
  std::vector<WeightedRaces> weighted;
  for (const WorkloadShape& each : shapes) {
    const auto raced = shapes_.find(each.shape.name);
    if (each.weight > 0 && raced != shapes_.end()) {
      weighted.push_back({raced->second, each.weight});
    }
  }
  if (weighted.empty()) return 0;
  return judge::minimum_weighted_effect(weighted, num_pairs, kSeed);
}

}  // namespace evoke::judge
