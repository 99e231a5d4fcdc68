#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "evoke/cli/check_search.h"
#include "evoke/cli/commands.h"
#include "evoke/cli/device_choice.h"
#include "evoke/cli/duration.h"
#include "evoke/cli/evolve_options.h"
#include "evoke/cli/evolve_run.h"
#include "evoke/cli/founders.h"
#include "evoke/cli/interrupt.h"
#include "evoke/cli/laboratory.h"
#include "evoke/cli/search_proposers.h"
#include "evoke/evaluation/judge/verify.h"
#include "evoke/proposers/llm/prompt_files.h"
#include "evoke/report/tables.h"
#include "evoke/store/run_store.h"

namespace evoke::cli {
namespace {

Json plan_json(const RunConfig& config, const Laboratory& laboratory,
               const std::vector<SeedKernel>& seeds,
               const std::string& folder) {
  const auto& greeting = laboratory.bench->greeting();
  Json json = {{"run_directory", folder},
               {"device", greeting.device_kind},
               {"device_name", greeting.device_name},
               {"devices", Json::array()},
               {"compiler", greeting.compiler_id},
               {"workers", config.workers},
               {"config", to_toml(config)},
               {"workload", Json::array()},
               {"seeds", Json::array()}};
  for (const judge::Workbench* bench : laboratory.benches()) {
    json["devices"].push_back({{"device", bench->options().device},
                               {"id", bench->greeting().device_id}});
  }
  for (const WorkloadShape& each : laboratory.workload.shapes) {
    const WorkEstimate work = laboratory.problem->work(each.shape);
    json["workload"].push_back({{"shape", each.shape.name},
                                {"weight", each.weight},
                                {"bytes", work.bytes},
                                {"flops", work.flops}});
  }
  for (const SeedKernel& seed : seeds) {
    double settings = 1;
    for (const Parameter& parameter : seed.source.plan().parameters) {
      settings *= static_cast<double>(
          std::max<std::size_t>(parameter.choices.size(), 1));
    }
    json["seeds"].push_back(
        {{"name", seed.name},
         {"founds", seed.uncovered.empty()},
         {"uncovered", seed.uncovered},
         {"variants", seed.source.plan().variants.size()},
         {"parameters", seed.source.plan().parameters.size()},
         {"settings", settings}});
  }
  return json;
}

void print_plan(const RunConfig& config, const Json& plan) {
  const auto& devices = plan["devices"];
  fmt::print("device    {}{} ({})\n",
             devices.size() > 1 ? fmt::format("{} x ", devices.size()) : "",
             plan["device"].get<std::string>(),
             plan["device_name"].get<std::string>());
  if (devices.size() > 1) {
    for (const Json& each : devices) {
      fmt::print("          {} {}\n", each["device"].get<std::string>(),
                 each["id"].get<std::string>());
    }
  }
  fmt::print("compiler  {}\nworkers   {}\n",
             plan["compiler"].get<std::string>(), config.workers);
  std::string budget =
      config.budget.time_s > 0 ? format_duration(config.budget.time_s) : "";
  if (config.budget.iterations > 0) {
    budget += fmt::format("{}{} proposals", budget.empty() ? "" : " or ",
                          config.budget.iterations);
  }
  fmt::print("budget    {}\nwrites    {}\n\n",
             budget.empty() ? "none: until Ctrl-C" : budget,
             plan["run_directory"].get<std::string>());
  TextTable shapes{{"workload " + config.workload, "weight", "bytes", "flops"},
                   {}};
  for (const Json& each : plan["workload"]) {
    shapes.rows.push_back({each["shape"].get<std::string>(),
                           fmt::format("{:.3g}", each["weight"].get<double>()),
                           fmt::format("{:.3g}", each["bytes"].get<double>()),
                           fmt::format("{:.3g}", each["flops"].get<double>())});
  }
  fmt::print("{}\n", to_text(shapes));
  TextTable seeds{{"seed", "variants", "parameters", "settings", ""}, {}};
  for (const Json& each : plan["seeds"]) {
    seeds.rows.push_back(
        {each["name"].get<std::string>(),
         fmt::format("{}", each["variants"].get<int>()),
         fmt::format("{}", each["parameters"].get<int>()),
         fmt::format("{:.3g}", each["settings"].get<double>()),
         each["founds"].get<bool>()
             ? "founder"
             : "left out: no variant for " + each["uncovered"].dump()});
  }
  fmt::print("{}\n# config.toml\n{}", to_text(seeds), to_toml(config));
}

int check_founders(const Context& context, const Laboratory& laboratory,
                   const std::vector<SeedKernel>& founders) {
  Json json = Json::array();
  bool right = true;
  for (const SeedKernel& seed : founders) {
    judge::VerifyOptions options;
    options.level = GateLevel::gate;
    options.stop = [] { return interrupted(); };
    const auto report = value_or_throw(
        judge::verify(*laboratory.bench, seed.source.text(), seed.source.path(),
                      laboratory.workload, options));
    right = right && report.right();
    std::string message = report.refusal ? report.refusal->message : "";
    for (const judge::CaseResult& each : report.cases) {
      if (each.failure && message.empty()) message = each.message;
    }
    json.push_back({{"name", seed.name},
                    {"right", report.right()},
                    {"cases", report.cases.size()},
                    {"message", message}});
    if (context.json) continue;
    fmt::print("{} {:<20} {} cases{}{}\n",
               report.right() ? green(context, "right") : red(context, "WRONG"),
               seed.name, report.cases.size(), message.empty() ? "" : ": ",
               message);
  }
  if (context.json) fmt::print("{}\n", json.dump(2));
  return right ? 0 : 1;
}

// Options that would change what a recorded run means.
void refuse_with_resume(const EvolveOptions& options) {
  const auto refuse = [](bool given, const char* name) {
    if (given) {
      throw UsageError(std::string(name) +
                       " cannot change in a run that is resumed; start "
                       "another one");
    }
  };
  refuse(!options.kernels.empty(), "a kernel file");
  refuse(!options.seeds_folder.empty(), "--seeds");
  refuse(!options.config_path.empty(), "--config");
  refuse(!options.workload.empty(), "--workload");
  refuse(!options.proposer.empty(), "--proposer");
  refuse(!options.llm_path.empty(), "--llm");
  refuse(!options.models.empty(), "--model");
  refuse(!options.prices.empty(), "--llm-price");
  refuse(!options.prompts.empty(), "--prompts");
  refuse(!options.command.empty(), "--proposer-command");
  refuse(!options.replay_run.empty(), "--replay-run");
  refuse(options.rng_seed.has_value(), "--rng-seed");
  refuse(!options.output.empty() || !options.run_name.empty() ||
             !options.output_base.empty(),
         "--output");
}

int run_evolve(const Context& context, const EvolveOptions& options) {
  if (!options.write_prompts.empty()) {
    value_or_throw(llm::PromptFiles::write_to(options.write_prompts));
    fmt::print("{}: the built-in prompts; --prompts {} uses them\n",
               options.write_prompts, options.write_prompts);
    return 0;
  }
  EvolveRunOptions run;
  RunConfig config = value_or_throw(resolve_config(options));
  run.llm_budget_usd = options.llm_budget_usd;
  if (options.resume) {
    refuse_with_resume(options);
    run.resume = true;
    run.device = options.device;
    run.folder = options.resume_path.empty() ? value_or_throw(latest_run("."))
                                             : options.resume_path;
    if (options.iterations || !options.time_budget.empty() ||
        options.target_score) {
      run.budget = config.budget;
    }
    return evolve(context, std::move(config), run);
  }
  run.folder = run_folder(options);
  const auto proposers = proposer_names(config.proposer);
  if (std::find(proposers.begin(), proposers.end(), "llm") != proposers.end()) {
    run.llm = value_or_throw(resolve_llm(options));
  } else if (!options.prompts.empty() || !options.prices.empty()) {
    throw UsageError(
        "--prompts and --llm-price are for language models; add --proposer "
        "llm");
  }
  const auto timed = check_timed(config.device, "evolve");
  if (!options.dry_run && !options.check_only) {
    if (!timed) throw StartupError(timed.error().message);
    return evolve(context, std::move(config), run);
  }
  const Laboratory laboratory =
      options.dry_run
          ? open_search_laboratory(context, config.device, config.workload, 0)
          : open_laboratory(context, config.device, config.workload, 0);
  if (config.workers <= 0) {
    config.workers =
        std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  }
  auto seeds = value_or_throw(
      read_seeds(config.seeds, laboratory.bench->dialect(),
                 laboratory.problem->signature(), laboratory.workload));
  if (options.dry_run) {
    const Json plan = plan_json(config, laboratory, seeds, run.folder);
    if (context.json) {
      fmt::print("{}\n", plan.dump(2));
    } else {
      print_plan(config, plan);
    }
    value_or_throw(keep_founders(std::move(seeds)));
    return 0;
  }
  const auto founders = value_or_throw(keep_founders(std::move(seeds)));
  if (timed && !options.iterations) {
    return check_founders(context, laboratory, founders);
  }
  return check_search(context, laboratory, config, founders, run.folder);
}

}  // namespace

void add_evolve(CLI::App& app, Context& context, Command& chosen) {
  auto* command = app.add_subcommand(
      "evolve", "Search for a kernel that is faster, and prove it");
  auto options = std::make_shared<EvolveOptions>();
  add_options(*command, *options);
  command->footer(R"(
Examples:
  evoke evolve                               the built-in seeds, 2 minutes
  evoke evolve mine.cpp --time-budget 10m    your kernel
  evoke evolve --proposer parameters,llm --llm-budget-usd 2
  evoke evolve --proposer inbox -o run       you answer: evoke inbox run list
  evoke evolve --device cuda:all             on all GPUs, which are alike
  evoke evolve --dry-run                     what would be done
  evoke evolve --resume                      the latest run here goes on)");
  command->callback([&context, &chosen, options] {
    chosen = [&context, options] { return run_evolve(context, *options); };
  });
}

}  // namespace evoke::cli
