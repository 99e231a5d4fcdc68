#include "evoke/cli/evolve_options.h"

#include <algorithm>
#include <ctime>
#include <filesystem>

#include "evoke/cli/device_choice.h"
#include "evoke/cli/duration.h"
#include "evoke/core/kernel_source.h"
#include "evoke/proposers/llm/prompt_files.h"

namespace evoke::cli {
namespace {

// "20261123_104107", local time: sorts by age, reads as a date.
std::string timestamp() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  localtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof(text), "%Y%m%d_%H%M%S", &parts);
  return text;
}

Result<std::vector<std::string>> kernels_in(const std::string& folder) {
  std::error_code error;
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (dialect_of_path(entry.path().string())) {
      paths.push_back(entry.path().string());
    }
  }
  if (error) return failed("--seeds " + folder + ": " + error.message());
  if (paths.empty()) {
    return failed("--seeds " + folder +
                  ": no kernel file (.cpp, .cu or .metal) in it");
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

// Only what "auto" means has to be looked for.
TimingConfig timing_on(const std::string& device) {
  if (device != "auto") return default_timing(device);
  return default_timing(choose_device(device).value_or(device));
}

}  // namespace

void add_options(CLI::App& command, EvolveOptions& options) {
  command.add_option("kernels", options.kernels,
                     "Kernel files to start from (default: the built-in ones)");
  command.add_option("--seeds", options.seeds_folder,
                     "A folder of kernel files to start from");
  command.add_option("--config", options.config_path, "A TOML run config");
  command.add_option("--device", options.device,
                     "auto, cpu, cuda, cuda:NUMBER, cuda:UUID, metal or "
                     "metal:VERSION; several GPUs of one kind: "
                     "cuda:0,cuda:1 or cuda:all");
  command.add_option("--workload", options.workload,
                     "quick, qwen3-0.6b, qwen3-0.6b-batched or a TOML file");
  command.add_option("--held-out", options.held_out,
                     "A workload that is timed at the end only");
  command.add_option("--proposer", options.proposer,
                     "One or several of parameters, llm, inbox, command, "
                     "replay: parameters,llm");
  command.add_option("--llm", options.llm_path,
                     "A TOML file of services and models (default: "
                     "OPENAI_API_KEY or GEMINI_API_KEY decide)");
  command.add_option("--model", options.models,
                     "A model to ask, or MODEL=WEIGHT; repeat for several");
  command
      .add_option("--llm-budget-usd", options.llm_budget_usd,
                  "What models may cost in this run")
      ->check(CLI::NonNegativeNumber);
  command.add_option("--llm-price", options.prices,
                     "MODEL=INPUT,OUTPUT: dollars per million tokens; repeat "
                     "for several");
  command.add_option("--prompts", options.prompts,
                     "A folder of prompts that take the place of the built-in "
                     "ones (docs/llm.md)");
  command.add_option("--write-prompts", options.write_prompts,
                     "Write the built-in prompts into this folder and stop");
  command.add_option("--proposer-command", options.command,
                     "The program that the proposer `command` asks");
  command.add_option("--replay-run", options.replay_run,
                     "The run whose proposals `replay` makes again");
  command.add_option("--iterations", options.iterations,
                     "Stop after this many proposals (0: no limit)");
  command.add_option("--time-budget", options.time_budget,
                     "Stop after this long: 90s, 2m, 1h30m (0: no limit)");
  command.add_option("--target-score", options.target_score,
                     "Stop once a confirmed kernel reaches this speed-up");
  command.add_option("--workers", options.workers,
                     "Candidates judged at a time, over all devices (default: "
                     "one per core)");
  command.add_option("--rng-seed", options.rng_seed, "Of the whole search");
  auto* output = command.add_option("--output,-o", options.output,
                                    "The run directory to make");
  command.add_option("--run-name", options.run_name, "Its name instead")
      ->excludes(output);
  command
      .add_option("--output-base", options.output_base,
                  "The folder in which it is made")
      ->excludes(output);
  command
      .add_option_function<std::string>(
          "--resume",
          [&options](const std::string& path) {
            options.resume = true;
            options.resume_path = path;
          },
          "Go on with this run (default: the latest one here)")
      ->expected(0, 1);
  command.add_flag("--dry-run", options.dry_run,
                   "Print the resolved plan of the run and stop");
  command.add_flag("--check-only", options.check_only,
                   "Time nothing: check the founders with the gate and, with "
                   "--iterations or where the device cannot be timed, "
                   "proposals too");
}

Result<RunConfig> resolve_config(const EvolveOptions& options) {
  RunConfig config;
  if (!options.config_path.empty()) {
    auto read = read_run_config(options.config_path, config);
    if (!read) return error_of(read);
    // How it is timed by default depends on the device, which it may name.
    config.timing =
        timing_on(options.device.empty() ? read->device : options.device);
    read = read_run_config(options.config_path, config);
    if (!read) return error_of(read);
    config = std::move(*read);
  } else {
    config.timing =
        timing_on(options.device.empty() ? config.device : options.device);
  }
  const auto take = [](std::string& into, const std::string& given) {
    if (!given.empty()) into = given;
  };
  take(config.device, options.device);
  take(config.workload, options.workload);
  take(config.held_out, options.held_out);
  take(config.proposer, options.proposer);
  take(config.proposers.command, options.command);
  take(config.proposers.replay, options.replay_run);
  if (!options.kernels.empty()) config.seeds = options.kernels;
  if (!options.seeds_folder.empty()) {
    auto paths = kernels_in(options.seeds_folder);
    if (!paths) return error_of(paths);
    config.seeds.insert(config.seeds.end(), paths->begin(), paths->end());
  }
  if (options.iterations) config.budget.iterations = *options.iterations;
  if (options.workers) config.workers = *options.workers;
  if (options.target_score) config.budget.target_score = *options.target_score;
  if (options.rng_seed) config.rng_seed = *options.rng_seed;
  if (!options.time_budget.empty()) {
    const auto seconds = parse_duration_s(options.time_budget);
    if (!seconds) return failed("--time-budget: " + seconds.error().message);
    config.budget.time_s = *seconds;
  } else if (options.iterations && options.config_path.empty()) {
    config.budget.time_s = 0;  // the iterations alone decide
  }
  return config;
}

Result<llm::LlmConfig> resolve_llm(const EvolveOptions& options) {
  auto config = options.llm_path.empty()
                    ? llm::llm_config_from_environment()
                    : llm::read_llm_config(options.llm_path);
  if (!config) return config;
  if (!options.models.empty()) {
    const auto chosen = llm::choose_models(*config, options.models);
    if (!chosen) return error_of(chosen);
  }
  for (const std::string& price : options.prices) {
    const auto set = llm::set_price(*config, price);
    if (!set) return failed("--llm-price: " + set.error().message);
  }
  if (!options.prompts.empty()) {
    std::error_code error;
    config->prompts_folder =
        std::filesystem::absolute(options.prompts, error).string();
    if (error) return failed("--prompts: " + error.message());
  }
  if (options.llm_budget_usd) config->budget_usd = options.llm_budget_usd;
  // What is wrong with a key, a price or a prompt shows before a run is made.
  if (const auto opened = llm::open_ensemble(*config, 0, nullptr); !opened) {
    return error_of(opened);
  }
  if (!config->prompts_folder.empty()) {
    const auto read = llm::PromptFiles::with_folder(config->prompts_folder);
    if (!read) return error_of(read);
  }
  return config;
}

std::string run_folder(const EvolveOptions& options) {
  if (!options.output.empty()) return options.output;
  const std::string name = options.run_name.empty()
                               ? "evoke_output_" + timestamp()
                               : options.run_name;
  if (options.output_base.empty()) return name;
  return options.output_base + "/" + name;
}

}  // namespace evoke::cli
