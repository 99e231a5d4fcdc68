// Steps and candidates as JSON. Numbers survive the round trip exactly.
#pragma once

#include <string_view>

#include "evoke/base/error.h"
#include "evoke/base/json.h"
#include "evoke/evolution/interfaces/event_sink.h"

namespace evoke {

std::string_view to_string(EvaluationPurpose purpose);
Result<EvaluationPurpose> parse_purpose(std::string_view name);

Json to_json(const Candidate& candidate);
Json to_json(const Step& step);
// `failed` names what is missing or wrong.
Result<Step> step_from_json(const Json& json);

}  // namespace evoke
