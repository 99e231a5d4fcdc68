// A search without kernels: genomes are short lists of numbers, a landscape
// stands for the judge, and arrivals come in an order that is a function of
// what is in flight. So a run can be killed anywhere and continued, and two
// runs can be compared step by step.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <variant>
#include <vector>

#include "evoke/base/hash.h"
#include "evoke/evolution/evolution.h"

namespace evoke::simulation {

using Genes = std::vector<int>;

struct Landscape {
  int num_genes = 6;
  int num_choices = 8;
  double noise = 0.01;           // of one measurement, log scale
  double minimum_effect = 0.02;  // what measurements say of it
  double failures = 0.2;         // share of genomes that fail
  double broken = 0.02;          // share of evaluations that just fail
  uint64_t seed = 1;
  // Half of the genomes that fail at confirmation only.
  double flaky = 0.05;

  // Separable terms and interactions of neighbours; 0 is the greatest.
  double log_fitness(const Genes& genes) const {
    double sum = 0;
    for (std::size_t i = 0; i < genes.size(); ++i) {
      const auto best =
          static_cast<double>(hash_u64("gene" + std::to_string(i), seed) %
                              static_cast<uint64_t>(num_choices));
      sum -= 0.02 * std::abs(genes[i] - best);
      if (i == 0) continue;
      const uint64_t pair = hash_u64("pair" + std::to_string(i) + "/" +
                                         std::to_string(genes[i - 1]) + "/" +
                                         std::to_string(genes[i]),
                                     seed);
      sum -= 0.08 * static_cast<double>(pair % 1000) / 1000;
    }
    return sum;
  }
};

inline std::string text_of(const Genes& genes) {
  std::string text = "genes";
  for (const int gene : genes) text.append(" ").append(std::to_string(gene));
  return text;
}

inline Genes genes_of(const std::string& text) {
  std::istringstream stream(text.substr(5));
  Genes genes;
  for (int gene = 0; stream >> gene;) genes.push_back(gene);
  return genes;
}

// A pure function of the request.
class GeneProposer : public Proposer {
 public:
  explicit GeneProposer(int num_choices) : num_choices_(num_choices) {}
  static std::vector<std::string> operations() {
    return {"step", "jump", "recombine"};
  }
  std::string name() const override { return "genes"; }
  Result<Proposal> propose(const ProposalRequest& request) override {
    Rng rng(request.rng_seed);
    Genes genes = genes_of(request.parent.candidate.text);
    std::string operation = request.operation;
    // Some parents have no children, so that this happens, too.
    if (genes[0] == 5 && rng.chance(0.2)) return absent("nothing to change");
    if (operation == "recombine" && request.inspirations.empty()) {
      operation = "jump";
    }
    if (operation == "recombine") {
      const Genes mate =
          genes_of(rng.pick(request.inspirations).candidate.text);
      for (std::size_t i = 0; i < genes.size(); ++i) {
        if (rng.chance(0.5)) genes[i] = mate[i];
      }
    } else if (operation == "jump") {
      const uint64_t count = 1 + rng.below(3);
      for (uint64_t i = 0; i < count; ++i) {
        genes[rng.below(genes.size())] = choice(rng);
      }
    } else {
      int& gene = genes[rng.below(genes.size())];
      gene = std::clamp(gene + (rng.chance(0.5) ? 1 : -1), 0, num_choices_ - 1);
    }
    return Proposal{
        text_of(genes), {request.parent.candidate.id}, operation, operation};
  }

 private:
  int choice(Rng& rng) const {
    return static_cast<int>(rng.below(static_cast<uint64_t>(num_choices_)));
  }
  int num_choices_;
};

// The outcome is a function of the genome, the purpose and the moment.
inline Outcome judge(const Landscape& landscape,
                     const EvaluationRequest& request, int64_t sequence) {
  const std::string& text = request.candidate.text;
  const auto purpose = static_cast<int>(request.purpose);
  Rng genome(hash_u64(text, landscape.seed));
  Rng moment(hash_u64(
      text + "/" + std::to_string(purpose) + "/" + std::to_string(sequence),
      landscape.seed));
  Outcome outcome;
  outcome.candidate = request.candidate.id;
  outcome.stage = Stage::time;
  outcome.stage_ms[5] = 50 + 100 * moment.uniform();
  if (moment.chance(landscape.broken)) return outcome;
  const bool founder = request.candidate.generation == 0;
  if (!founder && genome.chance(landscape.failures)) {
    constexpr std::array kFailures{
        OutcomeKind::compile_failed, OutcomeKind::incorrect,
        OutcomeKind::crashed,        OutcomeKind::timed_out,
        OutcomeKind::rejected_plan,  OutcomeKind::implausible};
    outcome.kind = genome.pick(kFailures);
    return outcome;
  }
  if (!founder && request.purpose != EvaluationPurpose::score &&
      genome.chance(landscape.flaky)) {
    outcome.kind = OutcomeKind::nondeterministic;
    return outcome;
  }
  const double value = landscape.log_fitness(genes_of(text));
  const double measured = value + landscape.noise * moment.normal();
  outcome.kind = OutcomeKind::measured;
  if (request.purpose == EvaluationPurpose::confirm) {
    const double rival =
        request.rival_text.empty()
            ? -1e9
            : landscape.log_fitness(genes_of(request.rival_text));
    outcome.stage = Stage::confirm;
    outcome.kind = value > rival + landscape.noise ? OutcomeKind::confirmed
                                                   : OutcomeKind::not_confirmed;
  }
  const Genes genes = genes_of(text);
  Measurements measurements;
  measurements.features["balance"] = 0.5 * (genes[0] - genes[1]);
  measurements.features["threadgroup_bytes"] = 256.0 * (1 << genes[2]);
  ShapeMeasurement shape;
  shape.shape = "decode-256";
  shape.pairs.push_back({1, 1});
  shape.speedup = std::exp(measured);
  shape.minimum_effect = landscape.minimum_effect;
  measurements.shapes.push_back(shape);
  outcome.measurements = measurements;
  if (outcome.kind != OutcomeKind::not_confirmed) {
    const double width = 1.96 * landscape.noise;
    outcome.fitness = Fitness{std::exp(measured), std::exp(measured - width),
                              std::exp(measured + width)};
  }
  return outcome;
}

// One run, live or resumed. Copyable like Evolution itself.
class SimulatedRun {
 public:
  SimulatedRun(const EvolutionConfig& config,
               const std::vector<Founder>& founders, const Landscape& landscape)
      : evolution(config, founders), landscape_(landscape) {}
  SimulatedRun(const Evolution& state, const Landscape& landscape)
      : evolution(state), landscape_(landscape) {}

  // Until something must come in: steps that come of proposals are kept.
  // Returns false at the end of the search.
  bool pump() {
    GeneProposer proposer(landscape_.num_choices);
    while (true) {
      Action action = evolution.next();
      if (auto* request = std::get_if<ProposalRequest>(&action)) {
        if (auto step = evolution.answer(
                request->id, proposer.propose(*request), elapsed_s())) {
          steps.push_back(*std::move(step));
        }
      } else if (auto* evaluation = std::get_if<EvaluationRequest>(&action)) {
        in_flight.emplace(evaluation->candidate.id, *evaluation);
      } else {
        return std::holds_alternative<WaitAction>(action);
      }
    }
  }

  // One outcome arrives: which one is a function of what is in flight.
  void arrive() {
    const int64_t sequence = evolution.state().sequence();
    Rng rng(hash_u64("arrival" + std::to_string(sequence), landscape_.seed));
    const auto chosen =
        std::next(in_flight.begin(),
                  static_cast<std::ptrdiff_t>(rng.below(in_flight.size())));
    Outcome outcome = judge(landscape_, chosen->second, sequence);
    in_flight.erase(chosen);
    steps.push_back(evolution.apply(std::move(outcome), elapsed_s()));
  }

  // Until `count` steps are there, or the end.
  void run(std::size_t count = SIZE_MAX) {
    while (steps.size() < count && pump() && steps.size() < count) arrive();
  }

  double elapsed_s() const {
    return 0.1 * static_cast<double>(evolution.state().sequence() + 1);
  }

  Evolution evolution;
  std::vector<Step> steps;
  std::map<CandidateId, EvaluationRequest> in_flight;

 private:
  Landscape landscape_;
};

inline EvolutionConfig small_config(uint64_t seed, int workers) {
  EvolutionConfig config;
  config.rng_seed = seed;
  config.workers = workers;
  config.proposers = {
      {.name = "genes", .operations = GeneProposer::operations()}};
  config.budget = {.iterations = 0, .time_s = 0};
  config.population.islands = {.count = 3,
                               .migration_interval = 20,
                               .migrants = 2,
                               .stagnation_limit = 60};
  return config;
}

inline std::vector<Founder> founders() {
  return {{text_of({7, 0, 7, 0, 7, 0}), "a"},
          {text_of({0, 7, 0, 7, 0, 7}), "b"},
          {text_of({3, 3, 3, 3, 3, 3}), "c"}};
}

inline Json to_json(const Candidate& candidate) {
  return {{"id", candidate.id},
          {"text", candidate.text},
          {"genome_hash", candidate.genome_hash},
          {"parents", candidate.parents},
          {"inspirations", candidate.inspirations},
          {"island", candidate.island},
          {"generation", candidate.generation},
          {"proposer", candidate.proposer},
          {"operation", candidate.operation},
          {"summary", candidate.summary}};
}

inline std::string text_of(const Step& step) {
  Json effects = Json::array();
  for (const Effect& effect : step.effects) {
    effects.push_back({effect.kind, effect.detail});
  }
  const Json json = {{"sequence", step.sequence},
                     {"candidate", to_json(step.candidate)},
                     {"purpose", static_cast<int>(step.purpose)},
                     {"outcome", evoke::to_json(step.outcome)},
                     {"effects", effects},
                     {"elapsed_s", step.elapsed_s}};
  return json.dump();
}

inline std::string text_of(const EvaluationRequest& request) {
  const Json json = {{"candidate", to_json(request.candidate)},
                     {"purpose", static_cast<int>(request.purpose)},
                     {"stop_below", request.stop_below_fitness},
                     {"rival", request.rival_text}};
  return json.dump();
}

inline std::vector<std::string> texts_of(
    const std::map<CandidateId, EvaluationRequest>& in_flight) {
  std::vector<std::string> texts;
  for (const auto& [id, request] : in_flight) texts.push_back(text_of(request));
  return texts;
}

}  // namespace evoke::simulation
