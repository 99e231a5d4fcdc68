#include "bench/engine/parameter_space.h"

#include <algorithm>
#include <charconv>
#include <sstream>

#include "evoke/base/error.h"
#include "evoke/base/expression.h"
#include "evoke/proposers/parameters/genes.h"

namespace evoke::bench {
namespace {

std::vector<int64_t> values_of(const std::string& text) {
  std::vector<int64_t> values;
  std::stringstream stream(text);
  for (std::string part; std::getline(stream, part, ',');) {
    values.push_back(std::stoll(part));
  }
  return values;
}

void add_settings(KernelPlan plan, std::size_t index,
                  const std::vector<Symbols>& known,
                  std::vector<KernelPlan>& settings) {
  if (index == plan.parameters.size()) {
    if (parameters::constraints_hold(plan, known)) settings.push_back(plan);
    return;
  }
  const std::vector<int64_t> choices = plan.parameters[index].choices;
  for (const int64_t choice : choices) {
    plan.parameters[index].value = choice;
    add_settings(plan, index + 1, known, settings);
  }
}

}  // namespace

KernelSource restricted(const KernelSource& source,
                        const std::vector<std::string>& only) {
  KernelPlan plan = source.plan();
  for (const std::string& each : only) {
    const std::size_t equals = each.find('=');
    const std::string name = each.substr(0, equals);
    const auto found = std::find_if(
        plan.parameters.begin(), plan.parameters.end(),
        [&](const Parameter& parameter) { return parameter.name == name; });
    if (equals == std::string::npos || found == plan.parameters.end()) {
      throw UsageError("--only " + each + ": expected PARAMETER=VALUE,...");
    }
    found->choices = values_of(each.substr(equals + 1));
    if (std::find(found->choices.begin(), found->choices.end(), found->value) ==
        found->choices.end()) {
      found->value = found->choices.front();
    }
  }
  auto kernel = source.with_plan(plan);
  if (!kernel) throw UsageError(kernel.error().message);
  return *std::move(kernel);
}

std::vector<KernelPlan> settings_of(const KernelPlan& plan) {
  std::vector<KernelPlan> settings;
  add_settings(plan, 0, {{{"D", 128}, {"Hq", 16}, {"Hkv", 8}, {"causal", 1}}},
               settings);
  return settings;
}

std::string key_of(const KernelPlan& plan, char separator) {
  std::string key;
  for (const Parameter& parameter : plan.parameters) {
    if (!key.empty()) key += separator;
    key += std::to_string(parameter.value);
  }
  return key;
}

std::string key_of_row(const std::string& row, const KernelPlan& plan) {
  std::size_t end = 0;
  for (std::size_t i = 0; i < plan.parameters.size(); ++i) {
    end = row.find(',', end);
    if (end == std::string::npos) return row;
    ++end;
  }
  return row.substr(0, end - 1);
}

std::string header_of(const KernelPlan& plan) {
  std::string header;
  for (const Parameter& parameter : plan.parameters) {
    header += parameter.name + ",";
  }
  return header + "kind,fitness,same_code_as";
}

}  // namespace evoke::bench
