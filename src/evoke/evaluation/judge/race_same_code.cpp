// Shapes at which two kernels are one: the same machine code, launched alike.
// A file of many variants is mostly like its parent, and what is the same
// takes the same time: a race there would measure noise.
#include <vector>

#include "evoke/evaluation/judge/race_track.h"

namespace evoke::judge {

std::vector<bool> RaceTrack::same_code(const KernelBuild& candidate,
                                       const Opponent& opponent) const {
  std::vector<bool> same(tracks_.size(), false);
  if (!opponent.build()) return same;
  for (std::size_t i = 0; i < tracks_.size(); ++i) {
    const Json identity = candidate.identity_at(tracks_[i].shape.shape);
    same[i] = !identity.is_null() &&
              identity == opponent.build()->identity_at(tracks_[i].shape.shape);
  }
  return same;
}

std::vector<bool> RaceTrack::left_out(const KernelBuild& candidate,
                                      const Opponent& opponent,
                                      const Request& request) const {
  if (!request.skip_same_code) return std::vector<bool>(tracks_.size(), false);
  return same_code(candidate, opponent);
}

ShapeMeasurement RaceTrack::same_code_measurement(
    const Request& request, std::size_t at, const Opponent& opponent) const {
  const WorkloadShape& shape = workload_.shapes[at];
  ShapeMeasurement same;
  same.shape = shape.shape.name;
  same.baseline = opponent.name();
  same.same_code = true;
  same.candidate_us = same.baseline_us = noise_->seen.usual_us(same.shape);
  same.speedup = same.speedup_low = same.speedup_high = 1;
  same.confidence = request.confidence;
  same.roof_us = roof_us(shape.shape, CacheState::cold);
  same.weight = shape.weight;
  return same;
}

}  // namespace evoke::judge
