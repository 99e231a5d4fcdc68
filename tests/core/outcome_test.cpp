#include "evoke/core/outcome.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <string>

#include "evoke/base/rng.h"

namespace evoke {
namespace {

using testing::HasSubstr;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

Outcome example() {
  Outcome outcome;
  outcome.candidate = (int64_t{1} << 62) + 1;
  outcome.kind = OutcomeKind::measured;
  outcome.stage = Stage::time;
  outcome.message = "two\nlines, \"quoted\" \xe2\x82\xac";
  outcome.stage_ms = {0.1, 0, 1e-300, 3, 4, 1e300, 6};
  outcome.duplicate_of = std::numeric_limits<int64_t>::max();
  outcome.details = {{"confinement", {"seccomp", "landlock"}}, {"n", 3}};
  ShapeMeasurement shape;
  shape.shape = "decode-4096";
  shape.baseline = "seed";
  shape.cache_state = CacheState::warm;
  shape.pairs = {{0.1, 0.2}, {1.0 / 3, kNan}, {kInfinity, -kInfinity}};
  shape.discarded_pairs = 2;
  shape.calls_per_block = 7;
  shape.candidate_us = 0.1 + 0.2;
  shape.baseline_us = 5e-324;
  shape.speedup = 1.7976931348623157e308;
  shape.speedup_low = kNan;
  shape.speedup_high = kInfinity;
  shape.confidence = 0.999;
  shape.minimum_effect = 0.005;
  shape.roof_us = 12.5;
  shape.weight = 2;
  shape.verdict = SpeedVerdict::faster;
  outcome.measurements = Measurements{{shape, {}}, {{"code_bytes", 4096}}};
  outcome.fitness = Fitness{1.25, 1.125, kNan};
  return outcome;
}

bool same_bits(double a, double b) {
  return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b) ||
         (std::isnan(a) && std::isnan(b));
}

// Through text, as the store and --json send it.
Outcome round_trip(const Outcome& outcome) {
  const auto back = outcome_from_json(Json::parse(to_json(outcome).dump()));
  if (!back) throw std::runtime_error(back.error().message);
  return *back;
}

TEST(OutcomeJson, SurvivesTheRoundTripExactly) {
  const Outcome outcome = example();
  const Outcome back = round_trip(outcome);
  EXPECT_EQ(back.candidate, outcome.candidate);
  EXPECT_EQ(back.kind, outcome.kind);
  EXPECT_EQ(back.stage, outcome.stage);
  EXPECT_EQ(back.message, outcome.message);
  EXPECT_EQ(back.stage_ms, outcome.stage_ms);
  EXPECT_EQ(back.duplicate_of, outcome.duplicate_of);
  EXPECT_EQ(back.details, outcome.details);
  ASSERT_TRUE(back.fitness);
  EXPECT_EQ(back.fitness->value, 1.25);
  EXPECT_EQ(back.fitness->low, 1.125);
  EXPECT_TRUE(std::isnan(back.fitness->high));

  ASSERT_TRUE(back.measurements);
  ASSERT_EQ(back.measurements->shapes.size(), 2U);
  const ShapeMeasurement& a = outcome.measurements->shapes[0];
  const ShapeMeasurement& b = back.measurements->shapes[0];
  EXPECT_EQ(b.shape, a.shape);
  EXPECT_EQ(b.baseline, a.baseline);
  EXPECT_EQ(b.cache_state, a.cache_state);
  ASSERT_EQ(b.pairs.size(), a.pairs.size());
  for (std::size_t i = 0; i < a.pairs.size(); ++i) {
    EXPECT_TRUE(same_bits(b.pairs[i].baseline_us, a.pairs[i].baseline_us));
    EXPECT_TRUE(same_bits(b.pairs[i].candidate_us, a.pairs[i].candidate_us));
  }
  EXPECT_EQ(b.discarded_pairs, a.discarded_pairs);
  EXPECT_EQ(b.calls_per_block, a.calls_per_block);
  EXPECT_EQ(b.candidate_us, a.candidate_us);
  EXPECT_EQ(b.baseline_us, a.baseline_us);
  EXPECT_EQ(b.speedup, a.speedup);
  EXPECT_TRUE(std::isnan(b.speedup_low));
  EXPECT_EQ(b.speedup_high, kInfinity);
  EXPECT_EQ(b.confidence, a.confidence);
  EXPECT_EQ(b.minimum_effect, a.minimum_effect);
  EXPECT_EQ(b.roof_us, a.roof_us);
  EXPECT_EQ(b.weight, a.weight);
  EXPECT_EQ(b.verdict, a.verdict);
  EXPECT_EQ(back.measurements->features, outcome.measurements->features);
  EXPECT_EQ(to_json(back), to_json(outcome));
}

TEST(OutcomeJson, AnyDoubleSurvives) {
  Rng rng(8);
  for (int i = 0; i < 10'000; ++i) {
    Outcome outcome;
    const double value = std::bit_cast<double>(rng.next());
    outcome.stage_ms[3] = value;
    EXPECT_TRUE(same_bits(round_trip(outcome).stage_ms[3], value)) << value;
  }
}

TEST(OutcomeJson, CborKeepsItToo) {
  const Json json = to_json(example());
  const auto back = outcome_from_json(Json::from_cbor(Json::to_cbor(json)));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(to_json(*back), json);
}

TEST(OutcomeJson, WhatIsAbsentStaysAbsent) {
  const Outcome back = round_trip({});
  EXPECT_FALSE(back.measurements);
  EXPECT_FALSE(back.fitness);
  EXPECT_EQ(back.details, Json::object());
  Json with_null = to_json(Outcome{});
  with_null["fitness"] = nullptr;
  EXPECT_FALSE(outcome_from_json(with_null)->fitness);
}

TEST(OutcomeJson, EveryKindAndStageHasAName) {
  for (std::size_t i = 0; i < kNumOutcomeKinds; ++i) {
    const auto kind = static_cast<OutcomeKind>(i);
    EXPECT_EQ(*parse_outcome_kind(to_string(kind)), kind);
  }
  for (std::size_t i = 0; i < kNumStages; ++i) {
    const auto stage = static_cast<Stage>(i);
    EXPECT_EQ(*parse_stage(to_string(stage)), stage);
  }
  EXPECT_EQ(to_string(OutcomeKind::infrastructure_failed),
            "infrastructure_failed");
  EXPECT_EQ(to_string(OutcomeKind::out_of_bounds), "out_of_bounds");
  EXPECT_EQ(to_string(Stage::confirm), "confirm");
  EXPECT_FALSE(parse_outcome_kind("fine"));
  EXPECT_FALSE(parse_stage(""));
}

TEST(OutcomeJson, BytesThatAreNotTextDoNotBreakIt) {
  Outcome outcome;
  outcome.message = "garbage: \xff\xfe";
  EXPECT_EQ(round_trip(outcome).message, "garbage: \xef\xbf\xbd\xef\xbf\xbd");
}

std::string error_after(const std::function<void(Json&)>& change) {
  Json json = to_json(example());
  change(json);
  const auto outcome = outcome_from_json(json);
  EXPECT_FALSE(outcome);
  return outcome ? "" : outcome.error().message;
}

TEST(OutcomeJson, ErrorsNameTheMember) {
  EXPECT_EQ(error_after([](Json& json) { json = 3; }),
            "outcome: expected an object");
  EXPECT_EQ(error_after([](Json& json) { json.erase("kind"); }),
            "outcome.kind: missing");
  EXPECT_EQ(error_after([](Json& json) { json["kind"] = "fine"; }),
            "outcome.kind: no outcome kind 'fine'");
  EXPECT_EQ(error_after([](Json& json) { json["stage"] = 3; }),
            "outcome.stage: expected a string");
  EXPECT_EQ(error_after([](Json& json) { json["candidate"] = 1.5; }),
            "outcome.candidate: expected a 64-bit integer");
  EXPECT_EQ(error_after([](Json& json) { json["candidate"] = UINT64_MAX; }),
            "outcome.candidate: expected a 64-bit integer");
  EXPECT_EQ(error_after([](Json& json) { json["stage_ms"].erase(0); }),
            "outcome.stage_ms: expected one number per stage");
  EXPECT_EQ(error_after([](Json& json) { json["stage_ms"][0] = "fast"; }),
            "outcome.stage_ms: expected a number");
  EXPECT_EQ(error_after([](Json& json) { json["fitness"].erase("low"); }),
            "outcome.fitness.low: missing");
  EXPECT_EQ(error_after([](Json& json) { json["fitness"] = "none"; }),
            "outcome.fitness: expected an object");
  EXPECT_EQ(error_after([](Json& json) {
              json["measurements"]["shapes"][1]["pairs"] = 3;
            }),
            "outcome.measurements.shapes[1].pairs: expected an array");
  EXPECT_EQ(error_after([](Json& json) {
              json["measurements"]["shapes"][0]["pairs"][1] = {1, 2, 3};
            }),
            "outcome.measurements.shapes[0].pairs: expected [baseline_us, "
            "candidate_us]");
  EXPECT_EQ(error_after([](Json& json) {
              json["measurements"]["shapes"][0]["verdict"] = "great";
            }),
            "outcome.measurements.shapes[0].verdict: expected faster, slower "
            "or cannot tell");
  EXPECT_EQ(error_after([](Json& json) {
              json["measurements"]["shapes"][0]["cache_state"] = "hot";
            }),
            "outcome.measurements.shapes[0].cache_state: expected cold or "
            "warm");
  EXPECT_EQ(error_after([](Json& json) {
              json["measurements"]["shapes"][0]["discarded_pairs"] = 1LL << 40;
            }),
            "outcome.measurements.shapes[0].discarded_pairs: expected a "
            "32-bit integer");
  EXPECT_EQ(error_after([](Json& json) {
              json["measurements"]["features"]["code_bytes"] = "many";
            }),
            "outcome.measurements.features.code_bytes: expected a number");
  EXPECT_EQ(error_after([](Json& json) {
              json["measurements"]["features"] = Json::array();
            }),
            "outcome.measurements.features: expected an object");
}

TEST(Outcome, OnlyMeasuredOnesAreRanked) {
  for (std::size_t i = 0; i < kNumOutcomeKinds; ++i) {
    Outcome outcome;
    outcome.kind = static_cast<OutcomeKind>(i);
    EXPECT_FALSE(outcome.ranked());
    outcome.fitness = Fitness{};
    EXPECT_EQ(outcome.ranked(), outcome.kind == OutcomeKind::measured ||
                                    outcome.kind == OutcomeKind::confirmed);
  }
}

}  // namespace
}  // namespace evoke
