#include "evoke/attention/peer_gates.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/attention/attention_fixtures.h"

namespace evoke::attention {
namespace {

const PeerGate& gate_named(const std::string& name) {
  for (const PeerGate& gate : peer_gates()) {
    if (gate.name == name) return gate;
  }
  throw std::runtime_error("no gate " + name);
}

TEST(PeerGates, AcceptTheExactAnswer) {
  const PeerTruth truth =
      make_peer_truth(float_inputs({small_shape(3, 50), "normal", 1}));
  for (const PeerGate& gate : peer_gates()) {
    EXPECT_TRUE(gate.accepts(truth, truth.rounded)) << gate.name;
  }
}

TEST(PeerGates, RejectAWholeOutputOfNaN) {
  const PeerTruth truth =
      make_peer_truth(float_inputs({small_shape(3, 50), "normal", 1}));
  const std::vector<float> output(truth.exact.size(), NAN);
  for (const PeerGate& gate : peer_gates()) {
    EXPECT_FALSE(gate.accepts(truth, output)) << gate.name;
  }
}

TEST(PeerGates, EachRuleIsTheOneStated) {
  const PeerTruth truth =
      make_peer_truth(float_inputs({small_shape(3, 50), "normal", 1}));
  const auto moved = [&](float by) {
    std::vector<float> output = truth.rounded;
    output[7] = truth.rounded[7] + by;
    return output;
  };
  const float one_percent = 0.01f * (1 + std::abs(truth.rounded[7]));
  EXPECT_TRUE(
      gate_named("KernelBench").accepts(truth, moved(0.99f * one_percent)));
  EXPECT_FALSE(
      gate_named("KernelBench").accepts(truth, moved(1.01f * one_percent)));
  EXPECT_TRUE(gate_named("cuDNN").accepts(truth, moved(1.9f * one_percent)));
  EXPECT_FALSE(gate_named("cuDNN").accepts(truth, moved(2.1f * one_percent)));
  EXPECT_TRUE(gate_named("MLX").accepts(truth, moved(0.45f * one_percent)));
  EXPECT_FALSE(gate_named("MLX").accepts(truth, moved(0.55f * one_percent)));
  // One element of 384 may be anything.
  EXPECT_TRUE(gate_named("SOL").accepts(truth, moved(100)));
  // Passes by the absolute error alone.
  EXPECT_TRUE(gate_named("fi-bench").accepts(truth, moved(0.0099f)));
  EXPECT_TRUE(gate_named("FA2").accepts(
      truth, moved(static_cast<float>(1.5 * truth.eager_max_error))));
  EXPECT_FALSE(gate_named("FA2").accepts(
      truth, moved(static_cast<float>(3.5 * truth.eager_max_error))));
  // Anything that looks like numbers.
  EXPECT_TRUE(gate_named("OpenEvolve").accepts(truth, moved(5)));
}

TEST(PeerGates, EagerBf16IsLessExact) {
  const PeerTruth truth =
      make_peer_truth(float_inputs({small_shape(3, 50), "shift_down", 1}));
  double flash = 0;
  const auto output =
      computed({}, float_inputs({small_shape(3, 50), "shift_down", 1}));
  for (std::size_t i = 0; i < output.size(); ++i) {
    flash = std::max<double>(flash, std::abs(output[i] - truth.exact[i]));
  }
  EXPECT_GT(truth.eager_max_error, 10 * flash);
}

}  // namespace
}  // namespace evoke::attention
