// Commands that read a run: status, inspect, report.
#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "evoke/base/atomic_file.h"
#include "evoke/cli/commands.h"
#include "evoke/cli/duration.h"
#include "evoke/cli/run_access.h"
#include "evoke/report/render.h"
#include "evoke/report/tables.h"

namespace evoke::cli {
namespace {

struct RunOptions {
  std::string run;
  CandidateId candidate = 0;
  std::string format;
  std::string output;
  bool source = false;
};

void print(const std::string& text) { std::fputs(text.c_str(), stdout); }

// Writes to the file, or to standard output.
void deliver(const std::string& path, const std::string& text) {
  if (path.empty()) return print(text);
  value_or_throw(write_file_atomically(path, text));
  std::fprintf(stderr, "evoke: written to %s\n", path.c_str());
}

int status(const Context& context, const RunOptions& options) {
  const auto store = open_run(options.run);
  const RunSummary summary = value_or_throw(store->summary());
  const std::optional<Fitness> best =
      summary.best
          ? value_or_throw(store->step_of(summary.best)).outcome.fitness
          : std::nullopt;
  if (context.json) {
    Json counts = Json::object();
    for (std::size_t i = 0; i < kNumOutcomeKinds; ++i) {
      counts[std::string(to_string(static_cast<OutcomeKind>(i)))] =
          summary.counts[i];
    }
    const Json json = {
        {"folder", store->folder()},
        {"steps", summary.steps},
        {"elapsed_s", summary.elapsed_s},
        {"finished", summary.finished},
        {"best", summary.best},
        {"counts", counts},
        {"best_fitness", best ? Json(best->value) : Json(nullptr)}};
    print(json.dump(2) + "\n");
    return 0;
  }
  print(fmt::format("{}\n{} after {} and {} steps\n", store->folder(),
                    summary.finished ? "finished" : "not finished",
                    format_duration(summary.elapsed_s), summary.steps));
  if (best) {
    print(fmt::format("best  #{} at {}\n", summary.best,
                      speedup_text(best->value, best->low, best->high)));
  } else {
    print("best  none confirmed yet\n");
  }
  for (std::size_t i = 0; i < kNumOutcomeKinds; ++i) {
    if (summary.counts[i] == 0) continue;
    print(fmt::format("  {:<22} {:>6}\n",
                      to_string(static_cast<OutcomeKind>(i)),
                      summary.counts[i]));
  }
  return 0;
}

int inspect(const Context& context, const RunOptions& options) {
  const auto store = open_run(options.run);
  CandidateId id = options.candidate;
  if (id == 0) id = value_or_throw(store->summary()).best;
  if (id == 0) throw StartupError("no best yet; name a candidate's number");
  const Step step = value_or_throw(store->step_of(id));
  if (context.json) {
    const Candidate& candidate = step.candidate;
    const Json json = {{"id", candidate.id},
                       {"genome_hash", candidate.genome_hash},
                       {"parents", candidate.parents},
                       {"island", candidate.island},
                       {"generation", candidate.generation},
                       {"proposer", candidate.proposer},
                       {"operation", candidate.operation},
                       {"summary", candidate.summary},
                       {"text", candidate.text},
                       {"outcome", to_json(step.outcome)}};
    print(json.dump(2) + "\n");
    return 0;
  }
  if (options.source) {
    print(step.candidate.text);
    return 0;
  }
  print(fmt::format(
      "#{} {} by {} from #{}: {}\n{}: {}\n", id, step.candidate.operation,
      step.candidate.proposer,
      step.candidate.parents.empty() ? 0 : step.candidate.parents.front(),
      step.candidate.summary, to_string(step.outcome.kind),
      step.outcome.message));
  if (step.outcome.fitness) {
    const Fitness& fitness = *step.outcome.fitness;
    print(fmt::format("fitness {}\n",
                      speedup_text(fitness.value, fitness.low, fitness.high)));
  }
  if (step.outcome.measurements) {
    print("\n" + to_text(measurement_table(step.outcome.measurements->shapes)));
  }
  print("\nThe kernel file: evoke inspect --source. Everything: --json.\n");
  return 0;
}

int report(const Context& context, const RunOptions& options) {
  const auto store = open_run(options.run);
  const RunReport data = value_or_throw(read_report(*store));
  if (context.json || options.format == "json") {
    deliver(options.output, to_json(data).dump(2) + "\n");
  } else if (options.format == "markdown") {
    deliver(options.output, to_markdown(data));
  } else {
    deliver(options.output.empty() ? store->folder() + "/report.html"
                                   : options.output,
            to_html(data));
    print(data.headline() + "\n");
  }
  return 0;
}

CLI::App* add_run_command(CLI::App& app, const char* name, const char* what,
                          const char* examples, RunOptions& options) {
  auto* command = app.add_subcommand(name, what);
  command->footer(std::string("\nExamples:\n") + examples);
  command->add_option("run", options.run,
                      "A run directory (default: the latest one here)");
  return command;
}

}  // namespace

void add_status(CLI::App& app, Context& context, Command& chosen) {
  auto options = std::make_shared<RunOptions>();
  add_run_command(app, "status", "Where a run stands, also while it runs",
                  "  evoke status            the latest run here\n"
                  "  evoke status run --json",
                  *options)
      ->callback([&context, &chosen, options] {
        chosen = [&context, options] { return status(context, *options); };
      });
}

void add_inspect(CLI::App& app, Context& context, Command& chosen) {
  auto options = std::make_shared<RunOptions>();
  auto* command = add_run_command(
      app, "inspect", "One candidate: lineage, outcome, times",
      "  evoke inspect                   the best of the latest run here\n"
      "  evoke inspect run 41 --source   a kernel file of it",
      *options);
  command->add_option("id", options->candidate,
                      "Its number (default: the best)");
  command->add_flag("--source", options->source, "Print its kernel file");
  command->callback([&context, &chosen, options] {
    chosen = [&context, options] { return inspect(context, *options); };
  });
}

void add_report(CLI::App& app, Context& context, Command& chosen) {
  auto options = std::make_shared<RunOptions>();
  auto* command = add_run_command(
      app, "report", "A run as a self-contained page, Markdown or JSON",
      "  evoke report                          writes RUN/report.html\n"
      "  evoke report run --format markdown    to standard output",
      *options);
  command->add_option("--format", options->format, "html, markdown or json")
      ->check(CLI::IsMember({"html", "markdown", "json"}));
  command->add_option("--output,-o", options->output,
                      "Where to write (html: RUN/report.html)");
  command->callback([&context, &chosen, options] {
    chosen = [&context, options] { return report(context, *options); };
  });
}

}  // namespace evoke::cli
