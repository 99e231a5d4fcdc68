#include "evoke/store/step_json.h"

#include <string>
#include <utility>

#include "evoke/base/utf8.h"

namespace evoke {
namespace {

constexpr EvaluationPurpose kPurposes[] = {EvaluationPurpose::score,
                                           EvaluationPurpose::remeasure,
                                           EvaluationPurpose::confirm};

// Throws Json::exception, caught in step_from_json().
Candidate candidate_from_json(const Json& json) {
  Candidate candidate;
  json.at("id").get_to(candidate.id);
  json.at("text").get_to(candidate.text);
  json.at("genome_hash").get_to(candidate.genome_hash);
  json.at("parents").get_to(candidate.parents);
  json.at("inspirations").get_to(candidate.inspirations);
  json.at("island").get_to(candidate.island);
  json.at("generation").get_to(candidate.generation);
  json.at("proposer").get_to(candidate.proposer);
  json.at("operation").get_to(candidate.operation);
  json.at("summary").get_to(candidate.summary);
  json.at("strategies").get_to(candidate.strategies);
  const Json& cost = json.at("cost");
  cost.at("seconds").get_to(candidate.cost.seconds);
  const Json& usd = cost.at("usd");
  candidate.cost.usd.reset();
  if (!usd.is_null()) candidate.cost.usd = usd.get<double>();
  return candidate;
}

}  // namespace

std::string_view to_string(EvaluationPurpose purpose) {
  switch (purpose) {
    case EvaluationPurpose::score:
      return "score";
    case EvaluationPurpose::remeasure:
      return "remeasure";
    case EvaluationPurpose::confirm:
      break;
  }
  return "confirm";
}

Result<EvaluationPurpose> parse_purpose(std::string_view name) {
  for (const EvaluationPurpose purpose : kPurposes) {
    if (to_string(purpose) == name) return purpose;
  }
  return failed("unknown purpose '" + std::string(name) + "'");
}

Json to_json(const Candidate& candidate) {
  Json strategies = Json::array();
  for (const std::string& each : candidate.strategies) {
    strategies.push_back(to_valid_utf8(each));
  }
  const auto& usd = candidate.cost.usd;
  return {{"id", candidate.id},
          {"text", to_valid_utf8(candidate.text)},
          {"genome_hash", candidate.genome_hash},
          {"parents", candidate.parents},
          {"inspirations", candidate.inspirations},
          {"island", candidate.island},
          {"generation", candidate.generation},
          {"proposer", to_valid_utf8(candidate.proposer)},
          {"operation", to_valid_utf8(candidate.operation)},
          {"summary", to_valid_utf8(candidate.summary)},
          {"strategies", std::move(strategies)},
          {"cost",
           {{"seconds", candidate.cost.seconds},
            {"usd", usd ? Json(*usd) : Json(nullptr)}}}};
}

Json to_json(const Step& step) {
  Json effects = Json::array();
  for (const Effect& effect : step.effects) {
    effects.push_back({{"kind", effect.kind}, {"detail", effect.detail}});
  }
  return {{"sequence", step.sequence},
          {"elapsed_s", step.elapsed_s},
          {"purpose", to_string(step.purpose)},
          {"candidate", to_json(step.candidate)},
          {"outcome", to_json(step.outcome)},
          {"effects", std::move(effects)}};
}

Result<Step> step_from_json(const Json& json) {
  Step step;
  try {
    json.at("sequence").get_to(step.sequence);
    json.at("elapsed_s").get_to(step.elapsed_s);
    const auto purpose = parse_purpose(json.at("purpose").get<std::string>());
    if (!purpose) return error_of(purpose);
    step.purpose = *purpose;
    step.candidate = candidate_from_json(json.at("candidate"));
    auto outcome = outcome_from_json(json.at("outcome"));
    if (!outcome) return error_of(outcome);
    step.outcome = std::move(*outcome);
    for (const Json& effect : json.at("effects")) {
      step.effects.push_back(
          {effect.at("kind").get<std::string>(), effect.at("detail")});
    }
  } catch (const Json::exception& error) {
    return failed(std::string("step: ") + error.what());
  }
  return step;
}

}  // namespace evoke
