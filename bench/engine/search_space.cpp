// Evaluations until a search comes within 2 % of the best setting of a space
// that was measured whole (measure_space.cpp), median over seeds.
//
//   search_space KERNEL SPACE.csv [--seeds N] [--only NAME=V,V,...]...
//
// Searches begin at a random setting that works. Random search draws without
// repetition. An evaluation is a setting that was not tried before, whatever
// became of it. Deterministic.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <variant>
#include <vector>

#include "bench/engine/parameter_space.h"
#include "evoke/attention/problem.h"
#include "evoke/core/launch_plan.h"
#include "evoke/evolution/evolution.h"
#include "evoke/proposers/parameters/parameters_proposer.h"

namespace evoke {
namespace {

constexpr double kWithin = 0.02;
constexpr int kLimit = 3000;  // evaluations, before a search has lost

struct Row {
  OutcomeKind kind = OutcomeKind::measured;
  double fitness = 0;  // 0: it failed
};

struct Space {
  KernelSource kernel;
  std::vector<std::string> keys;  // in the order of the file
  std::map<std::string, Row> rows;
  double best = 0;
};

template <typename T>
T value_of(Result<T> result) {
  if (!result) throw StartupError(result.error().message);
  return *std::move(result);
}

Space read_space(const std::string& kernel_path, const std::string& csv_path,
                 const std::vector<std::string>& only) {
  Space space{
      bench::restricted(value_of(KernelSource::read(kernel_path)), only),
      {},
      {},
      0};
  std::ifstream file(csv_path);
  std::string line;
  std::getline(file, line);
  std::map<std::string, std::string> same_code;
  while (std::getline(file, line)) {
    const std::string key = bench::key_of_row(line, space.kernel.plan());
    std::stringstream rest(line.substr(key.size() + 1));
    std::string kind;
    std::string fitness;
    std::string same;
    std::getline(rest, kind, ',');
    std::getline(rest, fitness, ',');
    std::getline(rest, same, ',');
    Row row{value_of(parse_outcome_kind(kind)),
            fitness.empty() ? 0 : std::stod(fitness)};
    std::replace(same.begin(), same.end(), '/', ',');
    if (!same.empty()) same_code[key] = same;
    space.keys.push_back(key);
    space.rows[key] = row;
  }
  for (const auto& [key, same] : same_code) {
    space.rows[key] = space.rows.at(same);
  }
  for (const auto& [key, row] : space.rows) {
    space.best = std::max(space.best, row.fitness);
  }
  return space;
}

bool is_near(const Space& space, const std::string& key) {
  return space.rows.at(key).fitness >= (1 - kWithin) * space.best;
}

// A random setting that works.
std::string random_start(const Space& space, Rng& rng) {
  for (;;) {
    const std::string& key = rng.pick(space.keys);
    if (space.rows.at(key).fitness > 0) return key;
  }
}

int random_search(const Space& space, uint64_t seed) {
  Rng rng(seed);
  std::vector<std::string> keys = space.keys;
  rng.shuffle(keys);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (is_near(space, keys[i])) return static_cast<int>(i) + 1;
  }
  return kLimit;
}

KernelPlan plan_of(const Space& space, const std::string& key) {
  KernelPlan plan = space.kernel.plan();
  std::stringstream stream(key);
  for (Parameter& parameter : plan.parameters) {
    std::string value;
    std::getline(stream, value, ',');
    parameter.value = std::stoll(value);
  }
  return plan;
}

class Judge {
 public:
  explicit Judge(const Space& space) : space_(space) {
    problem_ = make_attention_problem();
    shape_ = value_of(problem_->workload("quick")).shapes.back().shape;
    limits_.max_threadgroup_memory = int64_t{1} << 40;
    limits_.num_sms = 2;
  }

  Outcome judge(const Candidate& candidate, std::string& key) const {
    const KernelSource kernel = value_of(
        KernelSource::parse(candidate.text, Dialect::cpu, "space.cpp"));
    key = bench::key_of(kernel.plan());
    const Row& row = space_.rows.at(key);
    Outcome outcome;
    outcome.candidate = candidate.id;
    outcome.kind =
        row.kind == OutcomeKind::duplicate ? OutcomeKind::measured : row.kind;
    outcome.stage = Stage::time;
    outcome.stage_ms[2] = 400;
    outcome.stage_ms[5] = 300;
    if (!(row.fitness > 0)) return outcome;
    outcome.fitness =
        Fitness{row.fitness, row.fitness * 0.999, row.fitness * 1.001};
    Measurements measurements;
    const auto plan = resolve(kernel, problem_->signature(), shape_, limits_);
    if (plan) {
      measurements.features["threadgroup_bytes"] =
          static_cast<double>(plan->launches.front().dynamic_memory_bytes);
    }
    outcome.measurements = std::move(measurements);
    return outcome;
  }

 private:
  const Space& space_;
  std::unique_ptr<Problem> problem_;
  Shape shape_;
  DeviceLimits limits_;
};

int our_search(const Space& space, const Judge& judge, uint64_t seed,
               int workers) {
  Rng rng(seed);
  const std::string start = random_start(space, rng);
  EvolutionConfig config;
  config.rng_seed = seed;
  config.workers = workers;
  config.budget = {.iterations = 0, .time_s = 0};
  config.barren_limit = 1000;
  config.proposers = {
      {.name = "parameters", .operations = ParametersProposer::operations()}};
  config.confirmation.first_cost_s = 1e12;  // nothing is confirmed
  Evolution evolution(
      config,
      {{value_of(space.kernel.with_plan(plan_of(space, start))).text(), ""}});
  ParametersOptions options;
  options.known = {{{"D", 128}, {"Hq", 16}, {"Hkv", 8}, {"causal", 1}}};
  ParametersProposer proposer(options);
  std::set<std::string> tried;
  std::vector<EvaluationRequest> in_flight;
  for (;;) {
    Action action = evolution.next();
    if (std::holds_alternative<StopAction>(action)) return kLimit;
    if (auto* request = std::get_if<ProposalRequest>(&action)) {
      evolution.answer(request->id, proposer.propose(*request), 0);
    } else if (auto* evaluation = std::get_if<EvaluationRequest>(&action)) {
      in_flight.push_back(*evaluation);
    } else {
      const EvaluationRequest request = in_flight.front();
      in_flight.erase(in_flight.begin());
      std::string key;
      Outcome outcome = judge.judge(request.candidate, key);
      tried.insert(key);
      if (is_near(space, key)) return static_cast<int>(tried.size());
      if (static_cast<int>(tried.size()) >= kLimit) return kLimit;
      evolution.apply(std::move(outcome), 0);
    }
  }
}

void print_row(const std::string& name, std::vector<int> counts) {
  std::sort(counts.begin(), counts.end());
  const auto quantile = [&](double share) {
    return counts[static_cast<std::size_t>(
        share * static_cast<double>(counts.size() - 1))];
  };
  fmt::print("{:<24} {:>8} {:>8} {:>8}\n", name, quantile(0.1), quantile(0.5),
             quantile(0.9));
}

int run(int argc, char** argv) {
  CLI::App app("Searches on a space that was measured whole.");
  std::string kernel;
  std::string csv;
  std::vector<std::string> only;
  int seeds = 50;
  app.add_option("kernel", kernel)->required();
  app.add_option("space", csv)->required();
  app.add_option("--only", only);
  app.add_option("--seeds", seeds);
  CLI11_PARSE(app, argc, argv);
  const Space space = read_space(kernel, csv, only);
  const Judge judge(space);
  const auto near = std::count_if(
      space.keys.begin(), space.keys.end(),
      [&](const std::string& key) { return is_near(space, key); });
  fmt::print(
      "{} settings, {} within 2 % of the best; evaluations to come there, over "
      "{} seeds\n{:<24} {:>8} {:>8} {:>8}\n",
      space.keys.size(), near, seeds, "", "best 10%", "median", "worst 10%");
  std::vector<int> random;
  for (int seed = 1; seed <= seeds; ++seed) {
    random.push_back(random_search(space, static_cast<uint64_t>(seed)));
  }
  print_row("random draws", random);
  for (const int workers : {1, 8}) {
    std::vector<int> counts;
    for (int seed = 1; seed <= seeds; ++seed) {
      counts.push_back(
          our_search(space, judge, static_cast<uint64_t>(seed), workers));
    }
    print_row(
        fmt::format("evoke, {} worker{}", workers, workers > 1 ? "s" : ""),
        counts);
  }
  return 0;
}

}  // namespace
}  // namespace evoke

int main(int argc, char** argv) try {
  return evoke::run(argc, argv);
} catch (const std::exception& error) {
  fmt::print(stderr, "search_space: {}\n", error.what());
  return 1;
}
