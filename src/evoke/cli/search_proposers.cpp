#include "evoke/cli/search_proposers.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <sstream>
#include <utility>

#include "evoke/cli/answer_readers.h"
#include "evoke/cli/commands.h"
#include "evoke/core/device_facts.h"
#include "evoke/proposers/llm/prompt.h"

namespace evoke::cli {
namespace {

// Every timed shape's letters and the device, as conditions of variants see
// them.
std::vector<Symbols> timed_shapes(const Laboratory& laboratory) {
  std::vector<Symbols> shapes;
  for (const WorkloadShape& each : laboratory.workload.shapes) {
    shapes.push_back(device_facts(laboratory.bench->limits()));
    shapes.back().insert(each.shape.values.begin(), each.shape.values.end());
  }
  return shapes;
}

// What is known wherever a kernel is compiled, so that the proposer can check
// constraints by itself: compile-time letters and the device.
std::vector<Symbols> known_facts(const Laboratory& laboratory) {
  std::vector<Symbols> known;
  for (Symbols facts : timed_shapes(laboratory)) {
    for (const std::string& name : laboratory.problem->signature().sizes) {
      facts.erase(name);
    }
    if (std::find(known.begin(), known.end(), facts) == known.end()) {
      known.push_back(std::move(facts));
    }
  }
  return known;
}

llm::PromptFacts prompt_facts(const SearchJudge& judge) {
  const Laboratory& laboratory = judge.laboratory;
  const protocol::Greeting& greeting = laboratory.bench->greeting();
  const judge::Roofline roofline = judge.first().track->roofline();
  llm::PromptFacts facts;
  facts.dialect = laboratory.bench->dialect();
  facts.signature = laboratory.problem->signature();
  facts.limits = laboratory.bench->limits();
  facts.device_name = greeting.device_name;
  facts.device_features = greeting.features;
  facts.cache_bytes = greeting.cache_bytes;
  facts.read_bytes_per_s = roofline.read_bytes_per_s;
  facts.flops_per_s = roofline.flops_per_s;
  for (const WorkloadShape& each : laboratory.workload.shapes) {
    const WorkEstimate work = laboratory.problem->work(each.shape);
    facts.shapes.push_back({each.shape, each.weight, work,
                            roofline.roof_us(work, CacheState::cold)});
  }
  return facts;
}

// The same for programs.
Json facts_json(const llm::PromptFacts& facts) {
  Json json = {
      {"dialect", to_string(facts.dialect)},
      {"problem", facts.signature.name},
      {"device",
       {{"name", facts.device_name},
        {"features", facts.device_features},
        {"num_sms", facts.limits.num_sms},
        {"l2_bytes", facts.limits.l2_bytes},
        {"max_threadgroup_memory", facts.limits.max_threadgroup_memory},
        {"max_threads", facts.limits.max_threads},
        {"cache_bytes", facts.cache_bytes},
        {"read_bytes_per_s", facts.read_bytes_per_s},
        {"flops_per_s", facts.flops_per_s}}},
      {"shapes", Json::array()}};
  for (const llm::ShapeFacts& each : facts.shapes) {
    json["shapes"].push_back({{"shape", each.shape.name},
                              {"values", each.shape.values},
                              {"weight", each.weight},
                              {"bytes", each.work.bytes},
                              {"flops", each.work.flops},
                              {"roof_us", each.roof_us}});
  }
  return json;
}

// What a language model would be asked, for people.
PromptWriter prompt_writer(llm::PromptFacts facts, llm::PromptFiles files) {
  return [facts = std::move(facts),
          files = std::move(files)](const ProposalRequest& request) {
    constexpr int64_t kLongest = 1'000'000;  // people are not short of tokens
    const auto parent = KernelSource::parse(request.parent.candidate.text,
                                            facts.dialect, "parent");
    if (!parent) return parent.error().message;
    const auto prompt = llm::make_prompt(files, facts, request, *parent,
                                         request.operation, kLongest);
    if (!prompt) return prompt.error().message;
    std::string text;
    for (const LlmMessage& message : prompt->messages) {
      if (!text.empty()) text += "\n\n";
      text += message.content;
    }
    return text;
  };
}

// Every proposal of an earlier run that had a text, in order.
std::vector<RecordedAnswer> recorded_answers(const std::string& folder,
                                             CandidateId& founders) {
  if (folder.empty()) {
    throw UsageError(
        "--proposer replay: name the earlier run with --replay-run RUN");
  }
  const auto store = value_or_throw(RunStore::open_for_reading(folder));
  std::vector<RecordedAnswer> answers;
  std::set<CandidateId> known;
  value_or_throw(store->each_step([&](Step&& step) {
    const Candidate& candidate = step.candidate;
    if (!known.insert(candidate.id).second) return true;
    if (candidate.generation == 0) {
      founders = std::max(founders, candidate.id);
      return true;
    }
    const bool novel = step.outcome.kind != OutcomeKind::duplicate ||
                       step.outcome.stage > Stage::novelty;
    if (candidate.text.empty() || !novel) return true;
    Proposal proposal;
    proposal.text = candidate.text;
    proposal.parents = candidate.parents;
    proposal.operation = candidate.operation;
    proposal.summary = candidate.summary;
    proposal.proposer = candidate.proposer;
    proposal.strategies = candidate.strategies;
    answers.push_back({candidate.id, std::move(proposal)});
    return true;
  }));
  std::sort(answers.begin(), answers.end(),
            [](const RecordedAnswer& a, const RecordedAnswer& b) {
              return a.candidate < b.candidate;
            });
  return answers;
}

class Opening {
 public:
  Opening(const SearchJudge& judge, const RunConfig& config,
          const RunStore& store, const std::optional<llm::LlmConfig>& llm,
          const std::function<void(const std::string&)>& notice)
      : judge_(judge),
        config_(config),
        store_(store),
        llm_(llm),
        notice_(notice),
        facts_(prompt_facts(judge)) {}

  std::unique_ptr<SearchProposers> open() {
    made_->pool = std::make_unique<ProposerPool>();
    open_inbox();
    for (const std::string& name : proposer_names(config_.proposer)) {
      if (name == "parameters") open_parameters();
      if (name == "llm") open_llm();
      if (name == "inbox") {
        const int tasks = config_.proposers.inbox_tasks;
        made_->configs.push_back({.name = name,
                                  .operations = {"improve", "explore"},
                                  .in_flight = tasks});
        made_->pool->add(*made_->inbox, tasks);
      }
      if (name == "command") open_command();
      if (name == "replay") open_replay();
    }
    return std::move(made_);
  }

 private:
  void open_parameters() {
    ParametersOptions options;
    options.dialect = facts_.dialect;
    options.known = known_facts(judge_.laboratory);
    options.shapes = timed_shapes(judge_.laboratory);
    made_->parameters = std::make_unique<ParametersProposer>(options);
    made_->configs.push_back(
        {.name = "parameters", .operations = ParametersProposer::operations()});
    made_->pool->add(*made_->parameters, 0);
  }

  llm::PromptFiles prompts() const {
    if (!llm_ || llm_->prompts_folder.empty()) return {};
    return value_or_throw(llm::PromptFiles::with_folder(llm_->prompts_folder));
  }

  void open_llm() {
    if (!llm_) {
      throw UsageError(
          "--proposer llm: no model is configured; set OPENAI_API_KEY or "
          "GEMINI_API_KEY, or name a file with --llm");
    }
    made_->ensemble = value_or_throw(
        llm::open_ensemble(*llm_, value_or_throw(store_.spent_usd()), notice_));
    llm::LlmProposerOptions options;
    options.models = made_->ensemble.models;
    options.facts = facts_;
    options.prompts = prompts();
    options.prompt_tokens = llm_->prompt_tokens;
    options.corrections = llm_->corrections;
    options.max_concurrency = llm_->max_concurrency;
    ProposerPool& pool = *made_->pool;
    options.observer = pool.observer();
    options.stop = [&pool] { return pool.stopping(); };
    made_->llm = std::make_unique<llm::LlmProposer>(options);

    const int calls = llm_->max_concurrency;
    ProposerConfig config{.name = "llm",
                          .operations = llm::LlmProposer::operations(),
                          .in_flight = calls,
                          .latency_weight = 1.0 / calls};
    for (const llm::LlmModel& model : made_->ensemble.models) {
      if (model.weight > 0) {
        config.models.push_back({model.name, model.weight});
      }
    }
    made_->configs.push_back(std::move(config));
    const auto spending = made_->ensemble.spending;
    pool.add(*made_->llm, calls, [spending, notice = notice_] {
      if (!spending->exhausted()) return false;
      notice(fmt::format(
          "the budget for language models is used up: {:.4f} of {:.4f} USD "
          "spent; they are asked no more",
          spending->spent_usd(), spending->budget_usd().value_or(0)));
      return true;
    });
  }

  void open_inbox() {
    inbox::InboxOptions options;
    options.run = store_.folder();
    options.facts = facts_json(facts_);
    options.prompt = prompt_writer(facts_, prompts());
    options.reader = answer_reader(facts_.dialect);
    made_->inbox = std::make_unique<inbox::InboxProposer>(std::move(options));
    made_->pool->set_unasked(made_->inbox.get());
  }

  void open_command() {
    CommandOptions options;
    options.command = config_.proposers.command;
    options.timeout_s = config_.proposers.command_timeout_s;
    options.environment = plain_environment();
    options.facts = facts_json(facts_);
    options.reader = answer_reader(facts_.dialect);
    made_->command = std::make_unique<CommandProposer>(std::move(options));
    const int in_flight = config_.proposers.command_in_flight;
    made_->configs.push_back({.name = "command",
                              .in_flight = in_flight,
                              .latency_weight = 1.0 / in_flight});
    made_->pool->add(*made_->command, in_flight);
  }

  void open_replay() {
    CandidateId founders = 0;
    auto answers = recorded_answers(config_.proposers.replay, founders);
    made_->replay =
        std::make_unique<ReplayProposer>(std::move(answers), founders);
    made_->configs.push_back({.name = "replay"});
    const ReplayProposer& replay = *made_->replay;
    made_->pool->add(*made_->replay, 0,
                     [&replay] { return replay.left() == 0; });
  }

  const SearchJudge& judge_;
  const RunConfig& config_;
  const RunStore& store_;
  const std::optional<llm::LlmConfig>& llm_;
  const std::function<void(const std::string&)>& notice_;
  llm::PromptFacts facts_;
  std::unique_ptr<SearchProposers> made_ = std::make_unique<SearchProposers>();
};

}  // namespace

std::vector<std::string> proposer_names(const std::string& list) {
  static const std::vector<std::string> known = {"parameters", "llm", "inbox",
                                                 "command", "replay"};
  std::vector<std::string> names;
  std::stringstream stream(list);
  for (std::string name; std::getline(stream, name, ',');) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      throw UsageError("--proposer " + list + ": '" + name +
                       "' is none of parameters, llm, inbox, command, replay");
    }
    if (std::find(names.begin(), names.end(), name) != names.end()) {
      throw UsageError("--proposer " + list + ": '" + name +
                       "' is there twice");
    }
    names.push_back(name);
  }
  if (names.empty()) throw UsageError("--proposer: name at least one");
  return names;
}

std::unique_ptr<SearchProposers> open_search_proposers(
    const SearchJudge& judge, const RunConfig& config, const RunStore& store,
    const std::optional<llm::LlmConfig>& llm,
    const std::function<void(const std::string&)>& notice) {
  return Opening(judge, config, store, llm, notice).open();
}

}  // namespace evoke::cli
