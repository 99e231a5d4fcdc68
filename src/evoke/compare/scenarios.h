// What is generated end to end: the twenty scenarios of OpenEvolve's Qwen3
// benchmark by name and length, with prompts of our own.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "evoke/base/error.h"

namespace evoke::compare {

struct Scenario {
  std::string name;
  int max_tokens = 0;
  std::string prompt;  // a user's message
};

const std::vector<Scenario>& all_scenarios();

struct ScenarioChoice {
  bool quick = false;              // five of them, the longest one capped
  std::vector<std::string> names;  // not empty: these, in this order
  int max_tokens_cap = 0;          // 0: none
};
// `absent`: a name that there is not.
Result<std::vector<Scenario>> choose_scenarios(const ScenarioChoice& choice);

}  // namespace evoke::compare
