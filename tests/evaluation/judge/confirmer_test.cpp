#include "evoke/evaluation/judge/confirmer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/evaluation/judge/court.h"
#include "tests/evaluation/judge/kernels.h"

namespace evoke::judge {
namespace {

using testing::HasSubstr;

constexpr const char* kReferenceName = "reference kernel";

// Two lengths, so that there are secret ones between them.
class ConfirmerTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    RaceTrackOptions options;
    options.rotation_bytes = int64_t{4} << 20;
    options.max_probe_change = test::kAnyClock;
    track_ = test::value_of(RaceTrack::open(test::Court::shared().bench(),
                                            test::small_workload({100, 256}),
                                            options));
  }
  static void TearDownTestSuite() { track_.reset(); }

  ConfirmerOptions options() const {
    ConfirmerOptions options;
    options.num_pairs = 6;
    options.confidence = 0.95;
    options.warm_pairs = 2;
    options.secret_lengths = 1;
    options.baseline_pairs = 2;
    options.gate.call_timeout_ms = 20'000;
    options.gate.scratch_repeats = 3;
    return options;
  }
  // Without secret lengths: at one of them an equal kernel may be a little
  // slower by chance.
  ConfirmerOptions without_secrets() const {
    ConfirmerOptions without = options();
    without.secret_lengths = 0;
    return without;
  }
  Outcome confirm(const std::string& text, const std::string& rival,
                  const ConfirmerOptions& options,
                  std::vector<Opponent*> baselines = {}) {
    Confirmer confirmer(test::Court::shared().bench(), *track_,
                        {kReferenceName, test::honest_kernel()},
                        std::move(baselines), options);
    EvaluationRequest request;
    request.purpose = EvaluationPurpose::confirm;
    request.candidate.id = 3;
    request.candidate.text = text;
    request.rival_text = rival;
    return confirmer.confirm(request);
  }
  static std::unique_ptr<RaceTrack> track_;
};
std::unique_ptr<RaceTrack> ConfirmerTest::track_;

TEST_F(ConfirmerTest, TheFirstBestNeedsNoRival) {
  const Outcome outcome =
      confirm(test::honest_kernel("first", 20), "", without_secrets());
  ASSERT_EQ(outcome.kind, OutcomeKind::confirmed) << outcome.message;
  EXPECT_EQ(outcome.candidate, 3);
  EXPECT_EQ(outcome.stage, Stage::confirm);
  ASSERT_TRUE(outcome.fitness);
  ASSERT_TRUE(outcome.measurements);
  int cold = 0;
  int warm = 0;
  for (const ShapeMeasurement& shape : outcome.measurements->shapes) {
    EXPECT_EQ(shape.baseline, kReferenceName);
    if (shape.cache_state == CacheState::cold) {
      ++cold;
    } else {
      ++warm;
    }
  }
  EXPECT_EQ(cold, 2);
  EXPECT_EQ(warm, 2);
  // The whole list was run, not the search's part of it.
  EXPECT_GT(outcome.details.at("gate").size(), 30U);
}

TEST_F(ConfirmerTest, TheReferenceItselfIsNotRacedAgainstItself) {
  const Outcome outcome =
      confirm(test::honest_kernel("another text"), "", options());
  ASSERT_EQ(outcome.kind, OutcomeKind::confirmed) << outcome.message;
  EXPECT_EQ(outcome.fitness->value, 1);
  int cold = 0;
  for (const ShapeMeasurement& shape : outcome.measurements->shapes) {
    const bool is_cold = shape.cache_state == CacheState::cold;
    EXPECT_EQ(shape.same_code, is_cold) << shape.shape;
    EXPECT_EQ(shape.pairs.empty(), is_cold) << shape.shape;
    cold += is_cold ? 1 : 0;
  }
  EXPECT_EQ(cold, 3);  // a secret length too
}

TEST_F(ConfirmerTest, TheRivalsOwnCodeDoesNotBeatIt) {
  const Outcome outcome = confirm(test::honest_kernel("challenger", 25),
                                  test::honest_kernel("best", 25), options());
  ASSERT_EQ(outcome.kind, OutcomeKind::not_confirmed) << outcome.message;
  EXPECT_THAT(outcome.message,
              HasSubstr("same machine code as the previous best"));
}

TEST_F(ConfirmerTest, OnlyWhatDiffersIsRaced) {
  const auto opponent =
      test::value_of(track_->opponent("parent", test::two_variants(0)));
  const auto build =
      test::Court::shared().build(test::two_variants(31), track_->shapes());
  const auto kernel = test::Court::shared().load(*build);
  for (const bool unseen : {false, true}) {
    RaceTrack::Request request;
    request.num_pairs = 2;
    request.unseen_inputs = unseen;
    request.skip_same_code = true;
    const auto result =
        test::value_of(track_->race(*kernel, *opponent, request));
    ASSERT_FALSE(result.failure);
    ASSERT_EQ(result.shapes.size(), 2U);
    EXPECT_TRUE(result.shapes[0].same_code);
    EXPECT_TRUE(result.shapes[0].pairs.empty());
    EXPECT_FALSE(result.shapes[1].same_code);
    EXPECT_EQ(result.shapes[1].pairs.size(), 2U);
    request.skip_same_code = false;
    EXPECT_EQ(test::value_of(track_->race(*kernel, *opponent, request))
                  .shapes[0]
                  .pairs.size(),
              2U);
  }
}

// Two processes may differ by chance, in this direction, so much: but hardly
// three times.
TEST_F(ConfirmerTest, AnEqualRivalIsNotBeaten) {
  Outcome outcome;
  for (int i = 0; i < 3; ++i) {
    outcome = confirm(test::honest_kernel("challenger", 21),
                      test::honest_kernel("best", 22), options());
    if (outcome.kind == OutcomeKind::not_confirmed) break;
  }
  ASSERT_EQ(outcome.kind, OutcomeKind::not_confirmed) << outcome.message;
  EXPECT_FALSE(outcome.fitness);
  EXPECT_THAT(outcome.message, HasSubstr("previous best"));
  ASSERT_TRUE(outcome.measurements);  // what was seen is kept
  EXPECT_FALSE(outcome.measurements->shapes.empty());
}

TEST_F(ConfirmerTest, ASlowRivalIsBeaten) {
  const Outcome outcome = confirm(test::honest_kernel("challenger", 23),
                                  test::make_slow_kernel(200), options());
  ASSERT_EQ(outcome.kind, OutcomeKind::confirmed) << outcome.message;
  std::set<std::string> raced;
  int secret = 0;
  for (const ShapeMeasurement& shape : outcome.measurements->shapes) {
    raced.insert(shape.baseline);
    if (!shape.shape.starts_with("secret ")) continue;
    EXPECT_EQ(shape.weight, 0);
    ++secret;
  }
  EXPECT_GE(secret, 1);
  EXPECT_EQ(raced, (std::set<std::string>{kReferenceName, "previous best"}));
  // Fitness is against the reference, whoever the rival was.
  EXPECT_LT(outcome.fitness->value, 3);
}

TEST_F(ConfirmerTest, ASlowChallengerIsNotConfirmed) {
  const Outcome outcome =
      confirm(test::make_slow_kernel(200), test::honest_kernel(), options());
  EXPECT_EQ(outcome.kind, OutcomeKind::not_confirmed) << outcome.message;
  EXPECT_THAT(outcome.message, HasSubstr(kReferenceName));
}

// Neither timed nor in the search's gate.
TEST_F(ConfirmerTest, AFaultAtALengthOfTheFullListAloneIsFound) {
  test::KernelOptions wrong;
  wrong.when = test::kSmall;
  wrong.keys = "Lk == 17 ? 16 : visible";
  const Outcome outcome =
      confirm(test::make_kernel(wrong), "", without_secrets());
  EXPECT_EQ(outcome.kind, OutcomeKind::incorrect) << outcome.message;
  EXPECT_THAT(outcome.message, HasSubstr("decode-17"));
  EXPECT_FALSE(outcome.fitness);
  test::KernelOptions crash;
  crash.when = test::kSmall;
  crash.after = "  if (Lk == 17) out[0] = k[int64_t{1} << 44];";
  const Outcome crashed =
      confirm(test::make_kernel(crash), "", without_secrets());
  EXPECT_EQ(crashed.kind, OutcomeKind::crashed) << crashed.message;
}

// Quick where it is looked at, slow between.
TEST_F(ConfirmerTest, ASecretLengthIsAVeto) {
  test::KernelOptions options;
  options.when = test::kSmall;
  options.before =
      "  float waste = 0;\n"
      "  if (Lk > 100 && Lk < 256) {\n"
      "    for (int t = 0; t < 200 * visible; ++t) {\n"
      "      for (int d = 0; d < D; ++d) {\n"
      "        waste += std::exp(-std::abs(waste)) * 1e-3f *\n"
      "                 static_cast<float>(q[d]);\n"
      "      }\n"
      "    }\n"
      "  }\n";
  options.result = "waste == waste ? acc[d] : 0.0f";
  const Outcome outcome =
      confirm(test::make_kernel(options), "", this->options());
  EXPECT_EQ(outcome.kind, OutcomeKind::not_confirmed) << outcome.message;
  EXPECT_THAT(outcome.message, HasSubstr("secret"));
  EXPECT_FALSE(outcome.fitness);
}

TEST_F(ConfirmerTest, WhatDoesNotCompileIsNotConfirmed) {
  test::KernelOptions options;
  options.when = test::kSmall;
  options.before = "  undeclared();";
  EXPECT_EQ(confirm(test::make_kernel(options), "", this->options()).kind,
            OutcomeKind::compile_failed);
}

TEST_F(ConfirmerTest, ABaselineThatIsMissingIsNotedAndNoMore) {
  const auto baseline = track_->baseline("abacus");
  const Outcome outcome = confirm(test::honest_kernel("with baseline", 24), "",
                                  without_secrets(), {baseline.get()});
  EXPECT_EQ(outcome.kind, OutcomeKind::confirmed) << outcome.message;
  EXPECT_THAT(outcome.details.at("baselines").at("abacus").get<std::string>(),
              HasSubstr("abacus"));
}

// 99.9 % cannot come from six pairs, whatever they say.
TEST_F(ConfirmerTest, TooFewPairsForTheConfidenceProveNothing) {
  ConfirmerOptions few = options();
  few.num_pairs = 6;
  few.confidence = 0.999;
  Confirmer confirmer(test::Court::shared().bench(), *track_,
                      {kReferenceName, test::honest_kernel()}, {}, few);
  EvaluationRequest request;
  request.purpose = EvaluationPurpose::confirm;
  request.candidate.id = 3;
  request.candidate.text = test::honest_kernel("few", 25);
  request.rival_text = test::make_slow_kernel(200);
  const Outcome outcome = confirmer.confirm(request);
  EXPECT_EQ(outcome.kind, OutcomeKind::infrastructure_failed)
      << outcome.message;
  EXPECT_THAT(outcome.message, HasSubstr("11"));
}

}  // namespace
}  // namespace evoke::judge
