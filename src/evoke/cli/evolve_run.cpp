#include "evoke/cli/evolve_run.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "evoke/base/atomic_file.h"
#include "evoke/base/clock.h"
#include "evoke/base/log.h"
#include "evoke/cli/commands.h"
#include "evoke/cli/device_choice.h"
#include "evoke/cli/duration.h"
#include "evoke/cli/founders.h"
#include "evoke/cli/held_out.h"
#include "evoke/cli/interrupt.h"
#include "evoke/cli/machine.h"
#include "evoke/cli/panel.h"
#include "evoke/cli/search_judge.h"
#include "evoke/cli/search_proposers.h"
#include "evoke/evaluation/judge/verdict.h"
#include "evoke/evolution/feature_map.h"
#include "evoke/evolution/search_loop.h"
#include "evoke/report/render.h"
#include "evoke/report/tables.h"
#include "evoke/store/run_store.h"

namespace evoke::cli {
namespace {

// Of the first one, about: races, the full gate, baselines.
constexpr double kConfirmationCostS = 40;

Json axes_fact(const RunConfig& config) {
  const auto axes =
      config.features.empty() ? default_feature_axes() : config.features;
  Json json = Json::array();
  for (const FeatureAxisConfig& axis : axes) {
    json.push_back({{"name", axis.name},
                    {"low", axis.low},
                    {"high", axis.high},
                    {"bins", axis.bins},
                    {"log_scale", axis.log_scale}});
  }
  return json;
}

// What would only show after the set-up.
void check_folder(const std::string& folder) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (fs::exists(fs::path(folder) / "run.db", error)) {
    throw StartupError(folder +
                       ": holds a run already; go on with it by "
                       "--resume " +
                       folder + " or name another folder");
  }
  fs::create_directories(folder, error);
  if (error || ::access(folder.c_str(), W_OK) != 0) {
    throw StartupError(
        folder + ": cannot be written: " +
        (error ? error.message() : std::string(std::strerror(errno))) +
        "; name another place with --output");
  }
}

class EvolveRun : public EventSink {
 public:
  EvolveRun(const Context& context, RunConfig config, EvolveRunOptions options)
      : context_(context),
        config_(std::move(config)),
        options_(std::move(options)),
        panel_(context, context.stdout_is_tty && !context.json,
               context.json ? 1e9 : 10) {}

  int run() {
    start_ms_ = monotonic_ms();
    panel_state_.phase = "preparing";
    panel_state_.run_path = options_.folder;
    open();
    search();
    finish();
    if (evolution_->status().stopping == StopReason::infrastructure) {
      throw StartupError(fmt::format(
          "{0}: the search ended early, for the machine or a service failed "
          "time after time, at last with: {1}; mend that and go on with evoke "
          "evolve --resume {0}",
          store_->folder(), last_failure_));
    }
    return 0;
  }

  void record(const Step& step) override { record_all({}, step); }
  void record_all(const std::vector<LlmCall>& calls,
                  const Step& step) override {
    store_->record_all(calls, step);
    proposers_->inbox->recorded(step);
    for (const Effect& effect : step.effects) {
      if (effect.kind == "best") keep_best(step);
      if (effect.kind == "best_revoked") restore_best();
    }
  }
  void record_call(const LlmCall& call) override { store_->record_call(call); }

 private:
  void open();
  void replay();
  void search();
  void finish();
  void keep_best(const Step& step);
  void restore_best();
  void progress(const Evolution& evolution, const Step* step);
  void announce(const std::string& what);
  // From any thread.
  void notice(const std::string& what);
  std::optional<llm::LlmConfig> resumed_llm() const;
  void write_reports();
  double elapsed_s() const {
    return elapsed_before_s_ + (monotonic_ms() - start_ms_) * 1e-3;
  }

  Context context_;
  RunConfig config_;
  EvolveRunOptions options_;
  Panel panel_;
  PanelState panel_state_;
  double start_ms_ = 0;
  double elapsed_before_s_ = 0;
  double search_start_s_ = 0;
  int64_t searched_ = 0;      // steps of this process
  std::string last_failure_;  // of the machine or a service
  std::unique_ptr<RunStore> store_;
  std::unique_ptr<SearchJudge> judge_;
  std::vector<SeedKernel> founders_;
  std::optional<llm::LlmConfig> llm_;
  std::mutex notices_mutex_;
  std::vector<std::string> notices_;  // not shown yet
  std::unique_ptr<SearchProposers> proposers_;
  std::unique_ptr<Evolution> evolution_;
};

void EvolveRun::announce(const std::string& what) {
  if (interrupted()) throw StartupError("interrupted before the search began");
  panel_state_.elapsed_s = elapsed_s();
  panel_state_.last_event = what;
  if (context_.json) return;
  panel_.event(
      dim(context_, clock_text(panel_state_.elapsed_s) + " " + what + " ..."));
}

void EvolveRun::notice(const std::string& what) {
  log_info(what);
  const std::lock_guard lock(notices_mutex_);
  notices_.push_back(what);
}

// As recorded; only the money may be another amount.
std::optional<llm::LlmConfig> EvolveRun::resumed_llm() const {
  const auto fact = store_->fact("llm");
  if (!fact) return std::nullopt;
  auto config = value_or_throw(llm::llm_config_from_toml(
      fact->get<std::string>(), store_->folder() + " (llm)"));
  if (options_.llm_budget_usd) config.budget_usd = options_.llm_budget_usd;
  return config;
}

void EvolveRun::open() {
  if (options_.resume) {
    store_ = value_or_throw(RunStore::open_for_resume(options_.folder));
    config_ = store_->config();
    if (options_.budget) config_.budget = *options_.budget;
    if (!options_.device.empty()) config_.device = options_.device;
    elapsed_before_s_ = value_or_throw(store_->summary()).elapsed_s;
  }
  if (!options_.resume) check_folder(options_.folder);
  proposer_names(config_.proposer);  // before anything is measured
  llm_ = options_.llm;
  if (options_.resume) llm_ = resumed_llm();
  const int least_pairs =
      judge::least_pairs(judge::ConfirmerOptions{}.confidence);
  if (config_.timing.confirm_pairs < least_pairs) {
    throw UsageError(fmt::format(
        "timing.confirm_pairs is {}: a confirmation proves nothing with fewer "
        "than {} pairs",
        config_.timing.confirm_pairs, least_pairs));
  }
  if (config_.workers <= 0) {
    config_.workers =
        std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  }
  Laboratory laboratory = open_search_laboratory(
      context_, config_.device, config_.workload, config_.workers);
  config_.device = laboratory.device;
  // No device stands idle.
  config_.workers =
      std::max(config_.workers, static_cast<int>(laboratory.benches().size()));
  founders_ = value_or_throw(keep_founders(value_or_throw(
      read_seeds(config_.seeds, laboratory.bench->dialect(),
                 laboratory.problem->signature(), laboratory.workload))));

  std::optional<judge::Confirmer::Reference> reference;
  if (options_.resume) {
    const Json fact = value_or_throw(store_->fact("reference"));
    reference = {fact.value("name", ""), fact.value("text", "")};
    if (const auto recorded = store_->fact("device")) {
      value_or_throw(check_same_kind(
          *recorded,
          {laboratory.bench->options().device, laboratory.bench->greeting()}));
    }
  }
  judge_ = open_search_judge(
      std::move(laboratory), config_, founders_, reference,
      [this](const std::string& what) { announce(what); },
      [this](const std::string& what) { notice(what); });
  if (!options_.resume) {
    Json facts = judge_->conditions(config_);
    facts["machine"] = describe_machine();
    facts["started"] = utc_time();
    facts["workload"] = config_.workload;
    facts["axes"] = axes_fact(config_);
    if (llm_) facts["llm"] = to_toml(*llm_);
    facts["founders"] = Json::array();
    for (const SeedKernel& seed : founders_) {
      facts["founders"].push_back(
          {{"name", seed.name}, {"text", seed.source.text()}});
    }
    store_ = value_or_throw(RunStore::create(options_.folder, config_, facts));
  }
  add_log_file(store_->folder() + "/logs/evoke.log");
}

void EvolveRun::search() {
  EvolutionConfig config = evolution_config(config_);
  proposers_ =
      open_search_proposers(*judge_, config_, *store_, llm_,
                            [this](const std::string& what) { notice(what); });
  config.proposers = proposers_->configs;
  config.unasked = config_.workers;
  config.confirmation.first_cost_s = kConfirmationCostS;
  // Founders are those recorded: files may have changed since.
  std::vector<Founder> founders;
  for (const Json& each : value_or_throw(store_->fact("founders"))) {
    const auto source = value_or_throw(KernelSource::parse(
        each.value("text", ""), judge_->laboratory.bench->dialect(),
        each.value("name", "")));
    founders.push_back(
        to_founders({{each.value("name", ""), source, {}}}).front());
  }
  evolution_ = std::make_unique<Evolution>(config, founders);
  replay();

  search_start_s_ = elapsed_s();
  panel_state_.phase = "searching";
  panel_state_.reference = judge_->reference.name;
  panel_state_.iteration_limit = config_.budget.iterations;
  panel_state_.time_limit_s = config_.budget.time_s;
  bool said = false;
  SearchLoopOptions loop;
  loop.elapsed_s = [this] { return elapsed_s(); };
  loop.progress = [this](const Evolution& evolution, const Step* step) {
    progress(evolution, step);
  };
  loop.stop = [this, &said] {
    if (interrupted() && !said) {
      said = true;
      panel_.event(
          "finishing: what is in flight, then the best is confirmed; Ctrl-C "
          "again stops at once");
    }
    return interrupted();
  };
  run_search(*evolution_, *proposers_->pool, *judge_->evaluator, *this, loop);
  proposers_->pool.reset();  // ends what is still being asked
  const SearchStatus status = evolution_->status();
  value_or_throw(store_->set_fact(
      "finished",
      {{"reason",
        status.stopping ? std::string(to_string(*status.stopping)) : "unknown"},
       {"time", utc_time()},
       {"iterations", status.iterations}}));
}

void EvolveRun::replay() {
  value_or_throw(store_->each_step([this](Step&& step) {
    const Outcome& outcome = step.outcome;
    if (outcome.kind != OutcomeKind::duplicate &&
        outcome.kind != OutcomeKind::infrastructure_failed &&
        step.purpose == EvaluationPurpose::score) {
      judge_->novelty.claim("genome:" + step.candidate.genome_hash,
                            step.candidate.id);
      if (outcome.details.contains("objects")) {
        judge_->novelty.claim(outcome.details.value("objects", ""),
                              step.candidate.id);
      }
    }
    ++panel_state_.counts[static_cast<std::size_t>(outcome.kind)];
    value_or_throw(evolution_->replay(step));
    return true;
  }));
  if (evolution_->diverged_at() != 0) {
    log_warn(fmt::format(
        "{}: step {} was recorded by a search that decided otherwise; this "
        "run goes on from its outcomes, not as it would have",
        options_.folder, evolution_->diverged_at()));
  }
  // A process may have died between recording a best and writing it out.
  if (auto best = store_->best()) keep_best(*best);
}

void EvolveRun::keep_best(const Step& step) {
  panel_state_.best = step.outcome.fitness;
  panel_state_.best_label =
      fmt::format("#{} {}", step.candidate.id, step.candidate.summary);
  const auto& shapes = step.outcome.measurements->shapes;
  const auto written =
      store_->write_best(step, file_suffix(judge_->laboratory.bench->dialect()),
                         to_markdown(measurement_table(shapes)));
  if (!written) log_warn(written.error().message);
}

// The best failed when it was judged again.
void EvolveRun::restore_best() {
  if (!context_.json) {
    panel_.event(fmt::format("{:>7}  the best failed when it was judged again",
                             format_duration(elapsed_s())));
  }
  if (const auto best = store_->best()) return keep_best(*best);
  panel_state_.best.reset();
  panel_state_.best_label.clear();
  const auto cleared = store_->clear_best();
  if (!cleared) log_warn(cleared.error().message);
}

void EvolveRun::progress(const Evolution& evolution, const Step* step) {
  const SearchStatus status = evolution.status();
  if (step != nullptr) {
    ++searched_;
    if (step->outcome.kind == OutcomeKind::infrastructure_failed) {
      last_failure_ = step->outcome.message;
    }
    ++panel_state_.counts[static_cast<std::size_t>(step->outcome.kind)];
    for (const Effect& effect : step->effects) {
      if (effect.kind != "best") continue;
      if (!context_.json && step->outcome.fitness) {
        const Fitness& best = *step->outcome.fitness;
        panel_.event(
            fmt::format("{:>7}  confirmed #{} at {} of {}: {}",
                        format_duration(elapsed_s()), step->candidate.id,
                        speedup_text(best.value, best.low, best.high),
                        judge_->reference.name, step->candidate.summary));
      }
    }
    panel_state_.last_event =
        fmt::format("#{} {}", step->candidate.id, step->outcome.message);
  }
  {
    const std::lock_guard lock(notices_mutex_);
    for (const std::string& what : notices_) panel_.event(what);
    notices_.clear();
  }
  panel_state_.iteration = status.iterations;
  panel_state_.elapsed_s = elapsed_s();
  panel_state_.in_flight = status.evaluating;
  panel_state_.occupied_cells = status.occupied_cells;
  const double minutes = (elapsed_s() - search_start_s_) / 60;
  panel_state_.evaluations_per_minute =
      minutes > 0 ? static_cast<double>(searched_) / minutes : 0;
  if (status.stopping) panel_state_.phase = "confirming";
  panel_.update(panel_state_);
}

void EvolveRun::finish() {
  if (!config_.held_out.empty() && evolution_->best() != nullptr) {
    panel_.event("timing the held-out workload " + config_.held_out);
    value_or_throw(store_->set_fact(
        "held_out", race_held_out(*judge_->laboratory.problem, config_,
                                  judge_->in_service(), judge_->reference,
                                  evolution_->best()->candidate)));
  }
  panel_.close();
  write_reports();
}

void EvolveRun::write_reports() {
  const RunReport report = value_or_throw(read_report(*store_));
  const std::string html = store_->folder() + "/report.html";
  value_or_throw(write_file_atomically(html, to_html(report)));
  if (context_.json) {
    fmt::print("{}\n", to_json(report).dump(2));
    return;
  }
  if (report.best && report.best->outcome.measurements) {
    const Measurements& measurements = *report.best->outcome.measurements;
    fmt::print("\n{}\n", to_text(measurement_table(measurements.shapes)));
    const std::string caveat = baseline_caveat(measurements);
    if (!caveat.empty()) fmt::print("{}\n\n", caveat);
  }
  fmt::print(
      "{}\n{} steps in {}. Report: {}; kernel: {}/best; the run goes on with "
      "evoke evolve --resume {}\n",
      bold(context_, report.headline()), report.summary.steps,
      format_duration(elapsed_s()), html, store_->folder(), store_->folder());
}

}  // namespace

int evolve(const Context& context, RunConfig config,
           const EvolveRunOptions& options) {
  return EvolveRun(context, std::move(config), options).run();
}

}  // namespace evoke::cli
