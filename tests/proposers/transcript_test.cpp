// A run with a language model, recorded (transcript/README.md) and replayed:
// the model's answers go through the proposer again and the recorded outcomes
// through the search, which must come to the same steps, bit for bit.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "evoke/attention/problem.h"
#include "evoke/core/run_config.h"
#include "evoke/evolution/search_loop.h"
#include "evoke/proposers/llm/llm_proposer.h"
#include "evoke/store/call_rows.h"
#include "evoke/store/step_json.h"
#include "tests/evolution/instant_evaluator.h"

namespace evoke {
namespace {

struct RecordedRun {
  RunConfig config;
  std::vector<Founder> founders;
  Json device;
  std::vector<Step> steps;
};

std::string file(const std::string& name) {
  return std::string(EVOKE_TRANSCRIPT_FOLDER) + "/" + name;
}

std::vector<Json> lines_of(const std::string& name) {
  std::ifstream stream(file(name));
  std::vector<Json> lines;
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(Json::parse(line));
  }
  return lines;
}

RecordedRun read_run(const std::string& name) {
  std::vector<Json> lines = lines_of(name);
  RecordedRun run;
  const auto config = run_config_from_toml(
      lines.at(0).at("config").get<std::string>(), name, RunConfig{});
  EXPECT_TRUE(config.has_value()) << config.error().message;
  run.config = *config;
  run.device = lines[0].at("facts").at("device");
  for (const Json& founder : lines[0].at("facts").at("founders")) {
    run.founders.push_back({founder.at("text").get<std::string>(),
                            founder.at("name").get<std::string>()});
  }
  for (std::size_t i = 1; i < lines.size(); ++i) {
    auto step = step_from_json(lines[i]);
    EXPECT_TRUE(step.has_value()) << step.error().message;
    run.steps.push_back(*std::move(step));
  }
  return run;
}

// What a step is, without how long its proposal took.
std::string gist(Step step) {
  step.candidate.cost = {};
  return to_json(step).dump();
}

// The model: its recorded answers, in order.
class Transcript : public llm::ChatClient {
 public:
  Transcript() {
    for (const Json& line : lines_of("llm_calls.jsonl")) {
      calls_.push_back(llm_call_from_json(line).value());
    }
  }
  llm::ChatResult<llm::ChatReply> chat(const llm::ChatRequest& request,
                                       const llm::Stop&) override {
    EXPECT_FALSE(calls_.empty()) << "it asks once more than it did";
    llm::ChatReply reply;
    if (calls_.empty()) return reply;
    reply.text = calls_.front().answer;
    reply.model = request.model;
    reply.finish_reason = calls_.front().finish_reason;
    calls_.pop_front();
    return reply;
  }
  void hide_secrets(std::string&) const override {}
  std::size_t left() const { return calls_.size(); }

 private:
  std::deque<LlmCall> calls_;
};

class RecordedDesk : public ProposalDesk {
 public:
  RecordedDesk(Proposer& proposer, const RecordedRun& run)
      : proposer_(proposer) {
    for (const Step& step : run.steps) {
      costs_.emplace(step.candidate.id, step.candidate.cost);
    }
  }
  void submit(ProposalRequest request) override {
    answers_.push_back(
        {request.id, proposer_.propose(request), costs_[request.id]});
  }
  std::optional<ProposalAnswer> take() override {
    if (answers_.empty()) return std::nullopt;
    ProposalAnswer answer = std::move(answers_.front());
    answers_.pop_front();
    return answer;
  }
  void withdraw(CandidateId) override {}
  void on_arrival(std::function<void()>) override {}

 private:
  Proposer& proposer_;
  std::map<CandidateId, ProposalCost> costs_;
  std::deque<ProposalAnswer> answers_;
};

// The judge: its recorded outcomes, by candidate and purpose.
class RecordedJudge {
 public:
  explicit RecordedJudge(const RecordedRun& run) {
    for (const Step& step : run.steps) {
      outcomes_[{step.candidate.genome_hash, step.purpose}].push_back(
          step.outcome);
    }
  }
  Outcome operator()(const EvaluationRequest& request) {
    auto& left = outcomes_[{request.candidate.genome_hash, request.purpose}];
    if (left.empty()) {
      ADD_FAILURE() << "candidate " << request.candidate.id
                    << " was not judged then";
      Outcome none;
      none.candidate = request.candidate.id;
      none.kind = OutcomeKind::crashed;
      return none;
    }
    Outcome outcome = left.front();
    left.pop_front();
    return outcome;
  }

 private:
  std::map<std::pair<std::string, EvaluationPurpose>, std::deque<Outcome>>
      outcomes_;
};

class StepList : public EventSink {
 public:
  void record(const Step& step) override { steps.push_back(step); }
  std::vector<Step> steps;
};

EvolutionConfig search_config(const RecordedRun& run) {
  EvolutionConfig config = evolution_config(run.config);
  config.proposers = {{.name = "llm",
                       .operations = llm::LlmProposer::operations(),
                       .models = {{"by-hand", 1}},
                       .in_flight = 1,
                       .latency_weight = 1}};
  config.unasked = run.config.workers;
  config.confirmation.first_cost_s = 40;
  return config;
}

std::vector<Step> replayed(const RecordedRun& run) {
  const auto problem = make_attention_problem();
  const auto transcript = std::make_shared<Transcript>();
  llm::LlmProposerOptions options;
  options.models = {{"by-hand", 1, {}, transcript}};
  options.facts.signature = problem->signature();
  options.facts.limits.max_threadgroup_memory = int64_t{1} << 30;
  const Workload workload = problem->workload(file("workload.toml")).value();
  for (const WorkloadShape& each : workload.shapes) {
    options.facts.shapes.push_back({each.shape, each.weight, {}, 0});
  }
  llm::LlmProposer proposer(options);
  RecordedDesk desk(proposer, run);
  RecordedJudge recorded(run);
  InstantEvaluator judge(std::ref(recorded));
  StepList sink;
  Evolution evolution(search_config(run), run.founders);
  SearchLoopOptions loop;
  // The moment at which the recorded run came here.
  loop.elapsed_s = [&] {
    const std::size_t next = sink.steps.size();
    return next < run.steps.size() ? run.steps[next].elapsed_s : 1e9;
  };
  // The record ends before its last confirmation.
  loop.abandon = [&] { return sink.steps.size() == run.steps.size(); };
  run_search(evolution, desk, judge, sink, loop);
  EXPECT_EQ(transcript->left(), 0U);
  return sink.steps;
}

TEST(Transcript, ReplaysStepByStep) {
  const RecordedRun run = read_run("llm_run.jsonl");
  const std::vector<Step> steps = replayed(run);
  ASSERT_EQ(steps.size(), run.steps.size());
  for (std::size_t i = 0; i < steps.size(); ++i) {
    ASSERT_EQ(gist(steps[i]), gist(run.steps[i])) << "step " << i + 1;
  }
}

TEST(Transcript, HoldsGoodFailingAndCheatingAnswers) {
  const RecordedRun run = read_run("llm_run.jsonl");
  std::map<OutcomeKind, int> kinds;
  std::set<std::string> operations;
  int judged = 0;
  for (const Step& step : run.steps) {
    if (step.candidate.generation == 0) continue;
    ++judged;
    ++kinds[step.outcome.kind];
    operations.insert(step.candidate.operation);
    EXPECT_EQ(step.candidate.proposer, "llm:by-hand");
  }
  EXPECT_GE(judged, 15);
  EXPECT_GE(kinds[OutcomeKind::measured], 5);
  EXPECT_GE(kinds[OutcomeKind::incorrect], 1) << "it skips keys";
  EXPECT_GE(kinds[OutcomeKind::rejected_plan], 1) << "it remembers answers";
  EXPECT_GE(kinds[OutcomeKind::compile_failed], 1);
  EXPECT_GE(kinds[OutcomeKind::duplicate], 1) << "no kernel file at all";
  EXPECT_TRUE(operations.contains(kRepair));
  int refused = 0;
  for (const Json& call : lines_of("llm_calls.jsonl")) {
    refused += call.at("refusal").get<std::string>().empty() ? 0 : 1;
  }
  EXPECT_GE(refused, 3);
}

// What the run bred, judged for the first time each; founders aside.
std::vector<Step> bred(const RecordedRun& run) {
  std::vector<Step> steps;
  for (const Step& step : run.steps) {
    if (step.candidate.generation > 0 &&
        step.purpose == EvaluationPurpose::score) {
      steps.push_back(step);
    }
  }
  return steps;
}

// Recorded one after the other on one machine, from the same seed kernel.
TEST(Transcript, EndsWithABetterKernelThanParametersAlone) {
  const std::vector<Step> model = bred(read_run("llm_run.jsonl"));
  const std::vector<Step> parameters = bred(read_run("parameters_run.jsonl"));
  EXPECT_LE(model.size(), parameters.size());
  double surely = 0;
  for (const Step& step : model) {
    if (step.outcome.fitness) {
      surely = std::max(surely, step.outcome.fitness->low);
    }
  }
  int measured = 0;
  for (const Step& step : parameters) {
    if (!step.outcome.fitness) continue;
    ++measured;
    EXPECT_LT(step.outcome.fitness->high, surely)
        << "candidate " << step.candidate.id;
  }
  EXPECT_GE(measured, 10);
}

}  // namespace
}  // namespace evoke
