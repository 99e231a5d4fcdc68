#include "evoke/compare/comparison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/compare/samples.h"

namespace evoke::compare {
namespace {

using ::testing::HasSubstr;

// `kernel` relative to a baseline of some 20 tokens/s that varies a little.
std::vector<RunPair> pairs_with(const std::string& name, double ratio,
                                int count = 8, double spread = 0.01) {
  std::vector<RunPair> pairs;
  for (int i = 0; i < count; ++i) {
    const double drift = 1 + spread * (i % 3 - 1);
    const double noise = 1 + spread * ((i * 5) % 4 - 1.5) / 2;
    pairs.push_back(pair(name, i, 20 * drift, 20 * drift * ratio * noise));
  }
  return pairs;
}

Comparison compared(const std::vector<RunPair>& pairs,
                    const std::string& hash = kHash) {
  return compare_pairs({scenario("a")}, pairs, {}, hash);
}

TEST(Comparison, SeesWhatIsFaster) {
  const Comparison comparison = compared(pairs_with("a", 1.3));
  const ScenarioResult& result = comparison.scenarios[0];
  EXPECT_EQ(result.generation.refusal, "");
  EXPECT_EQ(result.generation.verdict, SpeedVerdict::faster);
  EXPECT_NEAR(result.generation.speedup.median, 1.3, 0.02);
  EXPECT_LT(result.generation.speedup.low, result.generation.speedup.high);
  EXPECT_NEAR(result.generation.baseline.median, 20, 0.3);
  EXPECT_LE(result.generation.baseline.low, result.generation.baseline.median);
  EXPECT_NEAR(result.generation.kernel.median, 26, 0.5);
  EXPECT_EQ(result.num_pairs, 8);
  // The prompt took the same time on both sides.
  EXPECT_EQ(result.prompt.verdict, SpeedVerdict::cannot_tell);
  EXPECT_NEAR(result.prompt.speedup.median, 1, 1e-9);
  EXPECT_EQ(comparison.overall.verdict, SpeedVerdict::faster);
  EXPECT_NEAR(comparison.overall.speedup.median, 1.3, 0.02);
}

TEST(Comparison, SeesWhatIsSlower) {
  const Comparison comparison = compared(pairs_with("a", 0.8));
  EXPECT_EQ(comparison.scenarios[0].generation.verdict, SpeedVerdict::slower);
  EXPECT_EQ(comparison.overall.verdict, SpeedVerdict::slower);
}

TEST(Comparison, CannotTellWhatNoiseHides) {
  const Comparison same = compared(pairs_with("a", 1.0));
  EXPECT_EQ(same.scenarios[0].generation.verdict, SpeedVerdict::cannot_tell);
  // 3 %, where two runs of the baseline differ by 30 %.
  const Comparison noisy = compared(pairs_with("a", 1.03, 8, 0.3));
  EXPECT_EQ(noisy.scenarios[0].generation.verdict, SpeedVerdict::cannot_tell);
  // Clear, but of too few pairs to mean what 95 % says.
  const Comparison few = compared(pairs_with("a", 1.3, 5));
  EXPECT_EQ(few.scenarios[0].generation.verdict, SpeedVerdict::cannot_tell);
  EXPECT_EQ(few.overall.verdict, SpeedVerdict::cannot_tell);
}

TEST(Comparison, RefusesASpeedUpThatTheAttestationDoesNotBear) {
  const auto refusal = [](auto change) {
    std::vector<RunPair> pairs = pairs_with("a", 1.5);
    change(pairs[3]);
    const Comparison comparison = compared(pairs);
    EXPECT_THAT(comparison.overall.refusal,
                HasSubstr(comparison.scenarios[0].generation.refusal));
    return comparison.scenarios[0].generation.refusal;
  };
  // The hook was not applied.
  EXPECT_THAT(refusal([](RunPair& pair) {
                pair.kernel->attestation.kernel_hash.clear();
                pair.kernel->attestation.dispatches.clear();
                pair.kernel->attestation.prompt.dispatched = 0;
                pair.kernel->attestation.decode.dispatched = 0;
              }),
              HasSubstr("ran no kernel, not 01234567"));
  // It was applied in name only.
  EXPECT_THAT(refusal([](RunPair& pair) {
                pair.kernel->attestation.dispatches.clear();
                pair.kernel->attestation.prompt.dispatched = 0;
                pair.kernel->attestation.decode.dispatched = 0;
              }),
              HasSubstr("the kernel ran 0 times, the model asked 280 times"));
  // Twice.
  EXPECT_THAT(refusal([](RunPair& pair) {
                pair.kernel->attestation.dispatches["any"] = 588;
                pair.kernel->attestation.decode.dispatched = 560;
              }),
              HasSubstr("the kernel ran 560 times"));
  // In the baseline as well.
  EXPECT_THAT(refusal([](RunPair& pair) { pair.baseline = *pair.kernel; }),
              HasSubstr("baseline: ran 01234567"));
  // Another kernel: the file was changed.
  EXPECT_THAT(refusal([](RunPair& pair) {
                pair.kernel->attestation.kernel_hash = "feed";
              }),
              HasSubstr("ran feed, not 01234567"));
  // A variant was missing.
  EXPECT_THAT(refusal([](RunPair& pair) {
                Attestation& attestation = pair.kernel->attestation;
                attestation.decode.dispatched = 200;
                attestation.decode.fallen_back = 80;
                attestation.dispatches["any"] = 228;
                attestation.fallbacks = {{"Lk 1..9", "no variant", 80}};
              }),
              HasSubstr("80 of 280 calls fell back"));
}

TEST(Comparison, APromptThatFellBackLeavesGenerationAlone) {
  std::vector<RunPair> pairs = pairs_with("a", 1.3);
  for (RunPair& each : pairs) {
    Attestation& attestation = each.kernel->attestation;
    attestation.prompt.dispatched = 0;
    attestation.prompt.fallen_back = 28;
    attestation.dispatches["any"] = 280;
  }
  const Comparison comparison = compared(pairs);
  EXPECT_THAT(comparison.scenarios[0].prompt.refusal,
              HasSubstr("28 of 28 calls fell back"));
  EXPECT_EQ(comparison.scenarios[0].generation.verdict, SpeedVerdict::faster);
}

TEST(Comparison, OneRefusedScenarioRefusesTheMean) {
  std::vector<RunPair> pairs = pairs_with("a", 1.3);
  for (RunPair& each : pairs_with("b", 1.3)) {
    each.kernel->attestation.dispatches["any"] = 1;
    pairs.push_back(each);
  }
  const Comparison comparison =
      compare_pairs({scenario("a"), scenario("b")}, pairs, {}, kHash);
  EXPECT_EQ(comparison.scenarios[0].generation.refusal, "");
  EXPECT_THAT(comparison.overall.refusal, HasSubstr("b: 1 dispatches"));
}

TEST(Comparison, GeometricMeanOfScenarios) {
  std::vector<RunPair> pairs = pairs_with("a", 2.0);
  for (const RunPair& each : pairs_with("b", 0.5)) pairs.push_back(each);
  const Comparison comparison =
      compare_pairs({scenario("a"), scenario("b")}, pairs, {}, kHash);
  EXPECT_NEAR(comparison.overall.speedup.median, 1.0, 0.02);
  EXPECT_EQ(comparison.overall.verdict, SpeedVerdict::cannot_tell);
}

TEST(Comparison, TooFewTokensToTime) {
  std::vector<RunPair> pairs = pairs_with("a", 1.3);
  pairs[2].baseline.generation_tokens_per_s = 0;
  EXPECT_EQ(compared(pairs).scenarios[0].generation.refusal,
            "too few tokens to time");
  EXPECT_EQ(compared({}).scenarios[0].generation.refusal, "no pair yet");
}

TEST(Comparison, BaselineAlone) {
  std::vector<RunPair> pairs = pairs_with("a", 1.0);
  for (RunPair& each : pairs) each.kernel.reset();
  const Comparison comparison = compared(pairs, "");
  EXPECT_FALSE(comparison.has_kernel);
  EXPECT_NEAR(comparison.scenarios[0].generation.baseline.median, 20, 0.3);
  EXPECT_EQ(comparison.scenarios[0].generation.refusal, "no kernel");
}

TEST(Comparison, CountsTokensThatAreAlike) {
  std::vector<RunPair> pairs = pairs_with("a", 1.0);
  EXPECT_EQ(compared(pairs).scenarios[0].equal_tokens, 4);
  pairs[1].kernel->tokens = {1, 2, 9, 4};
  EXPECT_EQ(compared(pairs).scenarios[0].equal_tokens, 2);
}

TEST(Comparison, AttentionsShareOfBytes) {
  // Qwen3-0.6B in bf16: 114,688 B per token of context, 1.192 GB of weights.
  const auto share = [](double context) {
    return attention_share(114'688, context, 1.192e9);
  };
  EXPECT_NEAR(share(1024), 0.09, 0.005);
  EXPECT_NEAR(share(4096), 0.28, 0.005);
  EXPECT_NEAR(share(10'400), 0.50, 0.005);
  EXPECT_NEAR(share(32'768), 0.76, 0.005);
  EXPECT_EQ(attention_share(0, 0, 0), 0);
  const Comparison comparison = compared(pairs_with("a", 1.0));
  EXPECT_EQ(comparison.scenarios[0].mean_context, 16 + 5);
}

}  // namespace
}  // namespace evoke::compare
