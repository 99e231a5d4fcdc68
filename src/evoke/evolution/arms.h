// What the bandit chooses among: every operation of every proposer, with each
// of its models.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace evoke {

struct ArmModel {
  std::string name;
  double weight = 1;  // of the choices that ignore the bandit's bound
};

struct ProposerConfig {
  std::string name = "parameters";           // named in candidates
  std::vector<std::string> operations = {};  // empty: it chooses itself
  std::vector<ArmModel> models = {};         // empty: it chooses itself
  // Proposals of it that are asked for or being judged, at most. 0: it
  // answers at once, so its proposals share the slots of the workers.
  int in_flight = 0;
  // Judging seconds that a second of waiting for an answer is worth: 1 when
  // everything waits for it, little when other work goes on meanwhile.
  double latency_weight = 0;
};

struct Arm {
  std::size_t proposer = 0;  // index into the configuration
  std::string source;        // "parameters", "llm:gpt-x"
  std::string operation;
  std::string name;  // "parameters/step", "llm:gpt-x/improve"
  double weight = 1;
};

// Throws UsageError: no proposer, two with one name, or a weight that is not
// positive.
std::vector<Arm> arms_of(const std::vector<ProposerConfig>& proposers);
std::vector<std::string> names_of(const std::vector<Arm>& arms);
std::vector<double> weights_of(const std::vector<Arm>& arms);

// "llm:gpt-x"; the name alone without a model.
std::string source_name(const std::string& proposer, const std::string& model);
// The other way round: "llm" of "llm:gpt-x".
std::string proposer_of(const std::string& source);
// `source`: as candidates name it.
std::string arm_name(const std::string& source, const std::string& operation);

}  // namespace evoke
