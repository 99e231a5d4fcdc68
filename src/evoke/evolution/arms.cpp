#include "evoke/evolution/arms.h"

#include <algorithm>
#include <cmath>

#include "evoke/base/error.h"

namespace evoke {

std::string source_name(const std::string& proposer, const std::string& model) {
  return model.empty() ? proposer : proposer + ":" + model;
}

std::string proposer_of(const std::string& source) {
  return source.substr(0, source.find(':'));
}

std::string arm_name(const std::string& source, const std::string& operation) {
  return source + "/" + operation;
}

std::vector<Arm> arms_of(const std::vector<ProposerConfig>& proposers) {
  if (proposers.empty()) {
    throw UsageError("[arms_of] no proposer. Name one, such as parameters.");
  }
  std::vector<Arm> arms;
  for (std::size_t p = 0; p < proposers.size(); ++p) {
    const ProposerConfig& proposer = proposers[p];
    std::vector<ArmModel> models = proposer.models;
    if (models.empty()) models.emplace_back();
    std::vector<std::string> operations = proposer.operations;
    if (operations.empty()) operations.emplace_back();
    double weights = 0;
    for (const ArmModel& model : models) weights += model.weight;
    for (const ArmModel& model : models) {
      if (!(model.weight > 0) || !std::isfinite(weights)) {
        throw UsageError("[arms_of] the weight of model '" + model.name +
                         "' is not positive. Leave the model out instead.");
      }
      // Proposers count the same, whatever the number of their arms.
      const double weight =
          model.weight / weights / static_cast<double>(operations.size());
      for (const std::string& operation : operations) {
        const std::string source = source_name(proposer.name, model.name);
        arms.push_back(
            {p, source, operation, arm_name(source, operation), weight});
      }
    }
  }
  std::vector<std::string> names = names_of(arms);
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice == names.end()) return arms;
  throw UsageError("[arms_of] '" + *twice +
                   "' is there twice. Name each proposer, model and operation "
                   "once.");
}

std::vector<std::string> names_of(const std::vector<Arm>& arms) {
  std::vector<std::string> names;
  for (const Arm& arm : arms) names.push_back(arm.name);
  return names;
}

std::vector<double> weights_of(const std::vector<Arm>& arms) {
  std::vector<double> weights;
  for (const Arm& arm : arms) weights.push_back(arm.weight);
  return weights;
}

}  // namespace evoke
