// One search answered by hand, for tests of single rules.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "evoke/evolution/evolution.h"

namespace evoke::scenario {

inline bool has(const Step& step, std::string_view kind) {
  return std::any_of(step.effects.begin(), step.effects.end(),
                     [&](const Effect& effect) { return effect.kind == kind; });
}

// Every request is answered by hand.
class Scenario {
 public:
  explicit Scenario(const EvolutionConfig& config,
                    const std::vector<Founder>& founders = {{"first", ""},
                                                            {"second", ""}})
      : evolution(config, founders) {}

  EvaluationRequest evaluation() {
    Action action = evolution.next();
    auto* request = std::get_if<EvaluationRequest>(&action);
    EXPECT_NE(request, nullptr) << "no evaluation: " << action.index();
    return request ? *request : EvaluationRequest();
  }
  ProposalRequest proposal() {
    Action action = evolution.next();
    auto* request = std::get_if<ProposalRequest>(&action);
    EXPECT_NE(request, nullptr) << "no proposal: " << action.index();
    return request ? *request : ProposalRequest();
  }
  bool waits() { return std::holds_alternative<WaitAction>(evolution.next()); }
  std::optional<StopReason> stops() {
    const Action action = evolution.next();
    const auto* stop = std::get_if<StopAction>(&action);
    return stop ? std::optional(stop->reason) : std::nullopt;
  }
  Step finish(const EvaluationRequest& request, OutcomeKind kind,
              double fitness = 0, double half_width = 0.001) {
    Outcome outcome;
    outcome.candidate = request.candidate.id;
    outcome.kind = kind;
    if (fitness > 0) {
      outcome.fitness = Fitness{fitness, fitness * std::exp(-half_width),
                                fitness * std::exp(half_width)};
    }
    return evolution.apply(outcome, ++elapsed_s);
  }
  // The founders are scored.
  void start(double first = 1, double second = 0.5) {
    finish(evaluation(), OutcomeKind::measured, first);
    finish(evaluation(), OutcomeKind::measured, second);
  }
  // At the end nothing was confirmed but the founder that is tried then.
  std::optional<StopReason> stops_with_a_founder() {
    const auto confirm = evaluation();
    EXPECT_EQ(confirm.purpose, EvaluationPurpose::confirm);
    EXPECT_EQ(confirm.candidate.generation, 0);
    finish(confirm, OutcomeKind::confirmed, 1);
    return stops();
  }
  std::optional<Step> answer(const ProposalRequest& request,
                             const std::string& text) {
    return evolution.answer(request.id, Proposal{text, {}, "", ""},
                            ++elapsed_s);
  }
  // One proposal through to its outcome.
  Step child(const std::string& text, OutcomeKind kind, double fitness = 0,
             double half_width = 0.001) {
    EXPECT_FALSE(answer(proposal(), text).has_value());
    const auto request = evaluation();
    EXPECT_EQ(request.candidate.text, text);
    return finish(request, kind, fitness, half_width);
  }

  Evolution evolution;
  double elapsed_s = 0;
};

inline EvolutionConfig plain_config() {
  EvolutionConfig config;
  config.budget = {.iterations = 0, .time_s = 0};
  config.population.islands.count = 1;
  config.population.features = {{.name = "x", .low = 0, .high = 1, .bins = 1}};
  config.confirmation.interval = 0;
  config.confirmation.measurements = 1;
  return config;
}

}  // namespace evoke::scenario
