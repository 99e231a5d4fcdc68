// What happened to a candidate: data, never an exception.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "evoke/base/error.h"
#include "evoke/base/json.h"
#include "evoke/core/candidate.h"
#include "evoke/core/measurements.h"

namespace evoke {

enum class Stage { plan, novelty, compile, screen, gate, time, confirm };
inline constexpr std::size_t kNumStages = 7;
std::string_view to_string(Stage stage);
Result<Stage> parse_stage(std::string_view name);

// Closed and countable. Only `measured` and `confirmed` carry a fitness.
enum class OutcomeKind {
  measured,
  confirmed,
  not_confirmed,
  rejected_plan,
  duplicate,
  compile_failed,
  incorrect,
  out_of_bounds,
  nondeterministic,
  crashed,
  timed_out,
  implausible,           // faster than the machine can be; shown, never ranked
  infrastructure_failed  // our fault or the machine's: retried, never cached
};
inline constexpr std::size_t kNumOutcomeKinds = 13;
std::string_view to_string(OutcomeKind kind);
Result<OutcomeKind> parse_outcome_kind(std::string_view name);

struct Outcome {
  CandidateId candidate = 0;
  OutcomeKind kind = OutcomeKind::infrastructure_failed;
  Stage stage = Stage::plan;  // the last one reached
  std::string message;        // one paragraph, fit for a prompt
  std::array<double, kNumStages> stage_ms{};
  std::optional<Measurements> measurements;
  std::optional<Fitness> fitness;
  CandidateId duplicate_of = 0;   // for `duplicate`
  Json details = Json::object();  // confinement, resources, gate table

  bool ranked() const {
    return fitness &&
           (kind == OutcomeKind::measured || kind == OutcomeKind::confirmed);
  }
};

// JSON forms, used by the store, --json and the protocol. Numbers survive the
// round trip exactly.
Json to_json(const Measurements& measurements);
Json to_json(const Outcome& outcome);
Result<Measurements> measurements_from_json(const Json& json);
Result<Outcome> outcome_from_json(const Json& json);

}  // namespace evoke
