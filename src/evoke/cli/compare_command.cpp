#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "evoke/base/atomic_file.h"
#include "evoke/base/clock.h"
#include "evoke/base/hash.h"
#include "evoke/cli/commands.h"
#include "evoke/cli/duration.h"
#include "evoke/cli/gate_record.h"
#include "evoke/cli/interrupt.h"
#include "evoke/cli/machine.h"
#include "evoke/cli/model_process.h"
#include "evoke/cli/run_access.h"
#include "evoke/compare/outputs.h"
#include "evoke/compare/pair_loop.h"
#include "evoke/core/verified_kernel.h"
#include "evoke/report/tables.h"

namespace evoke::cli {
namespace {

using compare::Scenario;

struct Options {
  std::string mode = "quick";
  std::string model;
  std::string kernel;
  std::string run;
  bool with_run = false;
  std::string dtype;
  std::string output_folder = "compare-results";
  compare::ScenarioChoice choice;
  int pairs = 6;
  int warmup_tokens = 4;
  int agreement_tokens = 32;
  uint64_t seed = 1;
  bool list = false;
};

// What is compared, fixed before the first run.
struct Subject {
  std::vector<Scenario> scenarios;
  std::string kernel_file;  // in the output folder; empty: none
  std::string kernel_name;
  compare::Conditions conditions;
  Json identity;
};

int list_scenarios() {
  TextTable table{{"scenario", "tokens", "prompt"}, {}};
  for (const Scenario& each : compare::all_scenarios()) {
    table.rows.push_back({each.name, fmt::format("{}", each.max_tokens),
                          fmt::format("{} letters", each.prompt.size())});
  }
  fmt::print("{}", to_text(table));
  return 0;
}

// The kernel as it is now, in a place of its own: what happens to the file
// that was named does not touch a comparison that has begun.
std::string keep_kernel(const Options& options, Subject& subject) {
  std::string text;
  std::string name;
  Dialect dialect = Dialect::cpu;
  if (!options.kernel.empty()) {
    const KernelFile file = read_kernel_file(options.kernel);
    text = file.text;
    dialect = value_or_throw(dialect_of_path(file.path));
    subject.kernel_name = options.kernel;
  } else {
    const auto store = open_run(options.run);
    const Step best = value_or_throw(store->best());
    text = best.candidate.text;
    const std::string kind =
        value_or_throw(store->fact("device")).at("kind").get<std::string>();
    for (const Dialect each : {Dialect::cpu, Dialect::cuda, Dialect::metal}) {
      if (to_string(each) == kind) dialect = each;
    }
    subject.kernel_name =
        fmt::format("{} #{}", store->folder(), best.candidate.id);
  }
  std::error_code error;
  std::filesystem::create_directories(options.output_folder, error);
  const std::string path =
      options.output_folder + "/kernel" + std::string(file_suffix(dialect));
  // A comparison that is there keeps its kernel; the journal says whether
  // this is the same one.
  if (!std::filesystem::exists(path)) {
    value_or_throw(write_file_atomically(path, text));
  } else if (value_or_throw(KernelSource::read(path)).text() !=
             value_or_throw(KernelSource::parse(text, dialect, path)).text()) {
    throw StartupError(path +
                       " is another kernel: the folder holds another "
                       "comparison; choose another --output-dir");
  }
  return path;
}

// Runs the gate for the model's heads unless it has passed before.
VerifiedKernel ensure_verified(const Context& context,
                               const KernelSource& kernel,
                               const std::string& heads) {
  if (auto known =
          read_verified_kernel(default_verified_folder(), kernel, heads)) {
    return std::move(*known);
  }
  std::fprintf(stderr, "evoke: judging the kernel for heads %s first\n",
               heads.c_str());
  Laboratory laboratory = open_laboratory(
      context, std::string(to_string(kernel.dialect())), "quick", 0);
  laboratory.workload = workload_of_heads(heads);
  judge::VerifyOptions options;
  options.stop = [] { return interrupted(); };
  const auto report = value_or_throw(
      judge::verify(*laboratory.bench, kernel.text(), kernel.path(),
                    laboratory.workload, options));
  if (interrupted()) throw StartupError("interrupted: nothing is proved");
  if (!report.right()) {
    const auto failure = std::find_if(
        report.cases.begin(), report.cases.end(),
        [](const judge::CaseResult& each) { return each.failure.has_value(); });
    throw StartupError(kernel.path() + " does not pass the gate: " +
                       (report.refusal ? report.refusal->message
                        : failure != report.cases.end() ? failure->message
                                                        : "no case"));
  }
  record_passed_gate(laboratory,
                     {kernel.path(), kernel.text(), laboratory.device}, report,
                     heads, GateLevel::full);
  return value_or_throw(
      read_verified_kernel(default_verified_folder(), kernel, heads));
}

Json identity_of(const Options& options, const Subject& subject) {
  Json scenarios = Json::array();
  for (const Scenario& each : subject.scenarios) {
    scenarios.push_back({each.name, each.max_tokens, hash_hex(each.prompt)});
  }
  return {{"model", subject.conditions.model},
          {"dtype", options.dtype},
          {"kernel_hash", subject.conditions.kernel_hash},
          {"machine", subject.conditions.machine},
          {"scenarios", scenarios},
          {"pairs", options.pairs},
          {"warmup_tokens", options.warmup_tokens},
          {"agreement_tokens", options.agreement_tokens},
          {"seed", options.seed}};
}

Subject prepare(const Context& context, const Options& options) {
  Subject subject;
  subject.scenarios = value_or_throw(compare::choose_scenarios(options.choice));
  const bool with_kernel =
      !options.kernel.empty() || options.with_run || options.mode == "compare";
  std::vector<std::string> describe = {"describe", "--model", options.model};
  const Json model = value_or_throw(run_model(context, describe));
  compare::Conditions& conditions = subject.conditions;
  conditions.model = model.at("model").get<std::string>();
  conditions.machine = describe_machine();
  conditions.started = utc_now();
  if (with_kernel) {
    subject.kernel_file = keep_kernel(options, subject);
    const KernelSource kernel =
        value_or_throw(KernelSource::read(subject.kernel_file));
    const VerifiedKernel verified =
        ensure_verified(context, kernel, model.at("heads").get<std::string>());
    conditions.kernel = subject.kernel_name;
    conditions.kernel_hash = kernel.hash();
    conditions.gate = verified.gate;
  }
  subject.identity = identity_of(options, subject);
  return subject;
}

std::vector<std::string> arguments_of(const Options& options,
                                      const Subject& subject,
                                      const Scenario& scenario,
                                      compare::RunKind kind) {
  const bool agreement = kind == compare::RunKind::agreement;
  const int tokens =
      agreement ? std::min(options.agreement_tokens, scenario.max_tokens)
                : scenario.max_tokens;
  std::vector<std::string> arguments = {
      "generate",
      "--model",
      options.model,
      "--prompt",
      scenario.prompt,
      "--max-tokens",
      fmt::format("{}", tokens),
      "--ignore-eos",
      "--confine",
      "--warmup-tokens",
      fmt::format("{}", options.warmup_tokens)};
  if (!options.dtype.empty()) {
    arguments.insert(arguments.end(), {"--dtype", options.dtype});
  }
  if (kind != compare::RunKind::baseline) {
    arguments.insert(arguments.end(), {"--kernel", subject.kernel_file});
  }
  if (agreement) arguments.emplace_back("--agreement");
  return arguments;
}

// "[######....] 12/60 code_generation, 3m 20s left"
std::string progress_text(const compare::LoopProgress& now) {
  constexpr int kWidth = 24;
  const int filled = now.all > 0 ? kWidth * now.done / now.all : kWidth;
  std::string text =
      fmt::format("[{}{}] {}/{}", std::string(filled, '#'),
                  std::string(kWidth - filled, '.'), now.done, now.all);
  if (!now.scenario.empty()) text += " " + now.scenario;
  if (now.left_s >= 0 && now.done < now.all) {
    text += fmt::format(", {} left", format_duration(now.left_s));
  }
  return text;
}

void show_progress(const compare::LoopProgress& now) {
  if (isatty(STDERR_FILENO) == 1) {
    fmt::print(stderr, "\r\x1b[K{}{}", progress_text(now),
               now.done == now.all ? "\n" : "");
  } else {
    fmt::print(stderr, "{}\n", progress_text(now));
  }
}

int run_compare(const Context& context, Options options,
                const std::string& command) {
  if (options.list) return list_scenarios();
  if (options.model.empty()) throw UsageError("--model is required");
  if (!options.kernel.empty() && options.with_run) {
    throw UsageError("--kernel or --run, not both");
  }
  options.choice.quick = options.mode == "quick";
  Subject subject = prepare(context, options);
  subject.conditions.command = command;
  auto journal = value_or_throw(
      compare::PairJournal::open(options.output_folder, subject.identity));
  compare::LoopOptions loop;
  loop.scenarios = subject.scenarios;
  loop.pairs = options.pairs;
  loop.with_kernel = !subject.kernel_file.empty();
  loop.with_agreement = options.agreement_tokens > 0;
  loop.seed = options.seed;
  loop.progress = show_progress;
  const auto done = compare::run_pairs(
      loop, journal, [&](const Scenario& scenario, compare::RunKind kind) {
        return run_model(context,
                         arguments_of(options, subject, scenario, kind));
      });
  if (!done) {
    throw StartupError(fmt::format(
        "{}; {} finished pairs are kept in {}, the same command goes on",
        done.error().message, journal.pairs().size(), options.output_folder));
  }
  const compare::Comparison comparison = compare::compare_pairs(
      subject.scenarios, journal.pairs(), journal.agreements(),
      subject.conditions.kernel_hash);
  if (!journal.pairs().empty()) {
    const compare::RunSample& sample = journal.pairs().front().baseline;
    subject.conditions.dtype = sample.dtype;
    subject.conditions.device = sample.attestation.device;
  }
  const auto names = value_or_throw(compare::write_outputs(
      options.output_folder, comparison, subject.conditions));
  if (context.json) {
    fmt::print("{}\n", to_json(comparison, subject.conditions).dump(2));
    return 0;
  }
  fmt::print("{}", to_text(comparison, subject.conditions));
  fmt::print(stderr, "evoke: {} in {}\n", fmt::join(names, ", "),
             options.output_folder);
  return 0;
}

}  // namespace

void add_compare(CLI::App& app, Context& context, Command& chosen) {
  auto options = std::make_shared<Options>();
  auto* command = app.add_subcommand(
      "compare", "A kernel inside a model: tokens per second end to end");
  command
      ->add_option("--mode", options->mode,
                   "quick: five scenarios; full: all twenty; compare: all, "
                   "with the kernel of the latest run unless one is named")
      ->check(CLI::IsMember({"quick", "full", "compare"}))
      ->capture_default_str();
  command->add_option("--model,-m", options->model,
                      "A model folder, or a name in the hub's local cache");
  command->add_option("--kernel", options->kernel,
                      "A kernel file; without a kernel the baseline alone is "
                      "measured");
  auto* run = command->add_option("--run", options->run,
                                  "The best kernel of this run directory");
  command
      ->add_option("--scenarios", options->choice.names,
                   "These, by name, with commas between them (--list)")
      ->delimiter(',');
  command
      ->add_option("--max-tokens-cap", options->choice.max_tokens_cap,
                   "No scenario generates more")
      ->check(CLI::PositiveNumber);
  command
      ->add_option("--output-dir,-o", options->output_folder,
                   "Where results go; the same command goes on there")
      ->capture_default_str();
  command->add_option("--pairs", options->pairs, "Per scenario")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command
      ->add_option("--warmup-tokens", options->warmup_tokens,
                   "In each process before its times count")
      ->check(CLI::Range(0, 1000))
      ->capture_default_str();
  command
      ->add_option("--agreement-tokens", options->agreement_tokens,
                   "Steps at which logits are compared; 0: none")
      ->check(CLI::Range(0, 10000))
      ->capture_default_str();
  command->add_option("--dtype", options->dtype,
                      "float32, float16 or bfloat16 (default: as stored)");
  command->add_option("--seed", options->seed, "Of the order of runs")
      ->capture_default_str();
  command->add_flag("--list", options->list, "Names the scenarios");
  command->footer(R"(
Examples:
  evoke compare --list                          the twenty scenarios
  evoke compare --model DIR --kernel mine.cpp   five of them, with and without
  evoke compare --mode full --model DIR --run run)");
  command->callback([&context, &chosen, options, run] {
    options->with_run = run->count() > 0;
    chosen = [&context, options, command = context.command_line] {
      return run_compare(context, *options, command);
    };
  });
}

}  // namespace evoke::cli
