// The acceptance rules of other projects, for comparison in the self-test.
// Each is the rule its tests or evaluator state; sources in docs/gate.md.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "evoke/attention/inputs.h"

namespace evoke::attention {

// What peers compare with. All outputs are (B, Hq, Lq, D), contiguous.
struct PeerTruth {
  std::vector<float> exact;    // float64 answer
  std::vector<float> rounded;  // the same in bfloat16
  // Attention written with framework operations in bfloat16 (scores and
  // probabilities stored in bfloat16): "pt" in FlashAttention's tests.
  std::vector<float> eager;
  double eager_max_error = 0;  // against exact
  double eager_mean_error = 0;
  double eager_max_relative = 0;
  double fwd_atol = 0;  // FlashAttention-3: 2 max |(ref + 0.3 - 0.3) - ref|
};
PeerTruth make_peer_truth(const FloatInputs& inputs);

struct PeerGate {
  std::string name;
  std::string rule;
  // `output` is already rounded to bfloat16.
  std::function<bool(const PeerTruth&, std::span<const float> output)> accepts;
};
const std::vector<PeerGate>& peer_gates();

}  // namespace evoke::attention
