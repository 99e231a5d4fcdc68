#include "evoke/core/outcome.h"

#include <algorithm>

namespace evoke {
namespace {

constexpr std::array<std::string_view, kNumStages> kStageNames{
    "plan", "novelty", "compile", "screen", "gate", "time", "confirm"};

constexpr std::array<std::string_view, kNumOutcomeKinds> kKindNames{
    "measured",
    "confirmed",
    "not_confirmed",
    "rejected_plan",
    "duplicate",
    "compile_failed",
    "incorrect",
    "out_of_bounds",
    "nondeterministic",
    "crashed",
    "timed_out",
    "implausible",
    "infrastructure_failed"};

static_assert(static_cast<std::size_t>(Stage::confirm) + 1 == kNumStages);
static_assert(static_cast<std::size_t>(OutcomeKind::infrastructure_failed) +
                  1 ==
              kNumOutcomeKinds);

}  // namespace

std::string_view to_string(Stage stage) {
  return kStageNames[static_cast<std::size_t>(stage)];
}

std::string_view to_string(OutcomeKind kind) {
  return kKindNames[static_cast<std::size_t>(kind)];
}

Result<OutcomeKind> parse_outcome_kind(std::string_view name) {
  const auto* found = std::find(kKindNames.begin(), kKindNames.end(), name);
  if (found == kKindNames.end()) {
    return absent("no outcome kind '" + std::string(name) + "'");
  }
  return static_cast<OutcomeKind>(found - kKindNames.begin());
}

Result<Stage> parse_stage(std::string_view name) {
  const auto* found = std::find(kStageNames.begin(), kStageNames.end(), name);
  if (found == kStageNames.end()) {
    return absent("no stage '" + std::string(name) + "'");
  }
  return static_cast<Stage>(found - kStageNames.begin());
}

}  // namespace evoke
