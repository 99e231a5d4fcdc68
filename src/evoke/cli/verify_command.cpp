#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "evoke/cli/commands.h"
#include "evoke/cli/gate_record.h"
#include "evoke/cli/interrupt.h"
#include "evoke/cli/kernel_file.h"
#include "evoke/cli/laboratory.h"
#include "evoke/devices/registry.h"
#include "evoke/evaluation/judge/outcome_text.h"
#include "evoke/evaluation/judge/verify.h"
#include "evoke/report/tables.h"

namespace evoke::cli {
namespace {

struct Options {
  std::string kernel;
  std::string workload = "quick";
  std::string heads;
  std::string device;
  bool quick = false;
};

// How near the worst of the three errors came to its limit.
double worst_ratio(const judge::CaseResult& result) {
  const CheckReport& report = result.report;
  return std::max({report.row_ratio, report.mean_ratio, report.element_ratio});
}

std::string cell_text(const judge::CaseResult& result) {
  // What the device saw is in the lines below the table.
  if (!result.finding.empty()) return "WRONG";
  if (result.failure && *result.failure != OutcomeKind::incorrect) {
    return std::string(to_string(*result.failure));
  }
  return fmt::format("{}{:.2f}", result.failure ? "WRONG " : "",
                     worst_ratio(result));
}

// Shapes down, inputs across; a case's layout goes with its shape. Labels are
// SHAPE/INPUT/LAYOUT.
TextTable case_table(const std::vector<judge::CaseResult>& cases) {
  std::vector<std::string> rows;
  std::vector<std::string> columns;
  std::map<std::pair<std::string, std::string>, std::string> cells;
  const auto place = [](std::vector<std::string>& names,
                        const std::string& name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      names.push_back(name);
    }
  };
  for (const judge::CaseResult& each : cases) {
    const std::size_t first = each.label.find('/');
    const std::size_t last = each.label.rfind('/');
    const std::string layout = each.label.substr(last + 1);
    const std::string row = each.label.substr(0, first) +
                            (layout == "contiguous" ? "" : " (" + layout + ")");
    const std::string column = each.label.substr(first + 1, last - first - 1);
    place(rows, row);
    place(columns, column);
    cells[{row, column}] = cell_text(each);
  }
  TextTable table{{"shape"}, {}};
  table.header.insert(table.header.end(), columns.begin(), columns.end());
  for (const std::string& row : rows) {
    std::vector<std::string> line = {row};
    for (const std::string& column : columns) {
      const auto cell = cells.find({row, column});
      line.push_back(cell == cells.end() ? "" : cell->second);
    }
    table.rows.push_back(std::move(line));
  }
  return table;
}

// Legal, and seldom meant: once each.
std::set<std::string> notes_of(const std::vector<judge::CaseResult>& cases) {
  std::set<std::string> notes;
  for (const judge::CaseResult& each : cases) {
    notes.insert(each.notes.begin(), each.notes.end());
  }
  return notes;
}

// A wrong answer differs from case to case. What a device saw in one case it
// saw in others too: told once, with how often.
void print_failures(const Context& context,
                    const std::vector<judge::CaseResult>& cases) {
  std::map<std::string, int> seen;  // by finding
  for (const judge::CaseResult& each : cases) {
    if (!each.failure) continue;
    if (!each.finding.empty() && seen[each.finding]++ > 0) continue;
    fmt::print("{} {}\n", red(context, "WRONG"), each.message);
  }
  for (const auto& [finding, times] : seen) {
    if (times > 1) fmt::print("{}: in {} cases\n", finding, times);
  }
}

void print_report(const Context& context, const Options& options,
                  const judge::VerifyReport& report) {
  if (report.refusal) {
    fmt::print("{} {}: {}\n", red(context, "WRONG"),
               to_string(report.refusal->kind), report.refusal->message);
    return;
  }
  fmt::print("{}\n", to_text(case_table(report.cases)));
  fmt::print(
      "Worst error of each case as a share of its limit; above 1 is wrong.\n");
  double worst = 0;
  std::size_t failures = 0;
  for (const judge::CaseResult& each : report.cases) {
    worst = std::max(worst, worst_ratio(each));
    if (each.failure) ++failures;
  }
  print_failures(context, report.cases);
  for (const std::string& note : notes_of(report.cases)) {
    fmt::print("note {}\n", note);
  }
  for (const std::string& shape : report.shapes_left_out) {
    fmt::print("left out: no variant takes {}\n", shape);
  }
  fmt::print("{} {}: {} cases, {} failed, worst error {:.2f} of its limit\n",
             report.right() ? green(context, "right") : red(context, "WRONG"),
             options.kernel, report.cases.size(), failures, worst);
}

int verify_kernel(const Context& context, const Options& options) {
  const KernelFile file = read_kernel_file(options.kernel, options.device);
  Laboratory laboratory =
      open_laboratory(context, file.device, options.workload, 0);
  if (!options.heads.empty()) {
    laboratory.workload = workload_of_heads(options.heads);
  }
  judge::VerifyOptions verify;
  verify.level = options.quick ? GateLevel::gate : GateLevel::full;
  verify.stop = [] { return interrupted(); };
  const bool live = !context.json && isatty(STDERR_FILENO) == 1;
  if (live) {
    verify.progress = [](const judge::CaseResult& result, int done, int all) {
      fmt::print(stderr, "\r\x1b[K{}/{} {}", done, all, result.label);
    };
  }
  const auto report = value_or_throw(judge::verify(
      *laboratory.bench, file.text, file.path, laboratory.workload, verify));
  if (live) fmt::print(stderr, "\r\x1b[K");
  if (interrupted()) throw StartupError("interrupted: nothing is proved");
  if (!report.refusal && report.cases.empty()) {
    throw StartupError(file.path + ": no variant takes any shape of " +
                       laboratory.workload.name +
                       "; choose another --workload");
  }
  if (const auto heads = heads_of(laboratory.workload);
      heads && report.right()) {
    record_passed_gate(laboratory, file, report, *heads, verify.level);
  }
  if (context.json) {
    Json json = {{"kernel", options.kernel},
                 {"right", report.right()},
                 {"shapes_left_out", report.shapes_left_out},
                 {"cases", judge::to_json(report.cases)}};
    if (report.refusal) {
      json["outcome"] = to_string(report.refusal->kind);
      json["message"] = report.refusal->message;
    }
    fmt::print("{}\n", json.dump(2));
  } else {
    print_report(context, options, report);
  }
  return report.right() ? 0 : 1;
}

}  // namespace

void add_verify(CLI::App& app, Context& context, Command& chosen) {
  auto* command = app.add_subcommand(
      "verify", "The gate alone, on every shape and input: is it right?");
  auto options = std::make_shared<Options>();
  command->add_option("kernel", options->kernel, "A kernel file")->required();
  command->add_option("--workload", options->workload,
                      "Its shapes are checked as well as the gate's own");
  command->add_option("--heads", options->heads,
                      "In place of a workload: a model's query heads, "
                      "key-value heads and head_dim, as in 16-8-128");
  command->add_option("--device", options->device,
                      "Which of the kernel's kind: cuda:1, or metal:3.2 for a "
                      "version of Metal's language");
  command->add_flag("--quick", options->quick,
                    "The subset that a search runs on every candidate");
  command->footer(R"(
Examples:
  evoke verify mine.cpp             every shape, input and layout
  evoke verify mine.cpp --quick     what a search runs on every candidate
  evoke verify mine.metal           with the sanitizer, on any Linux machine
  evoke verify mine.cpp --heads 32-8-128)");
  command->callback([&context, &chosen, options] {
    chosen = [&context, options] { return verify_kernel(context, *options); };
  });
}

}  // namespace evoke::cli
