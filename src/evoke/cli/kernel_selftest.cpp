#include "evoke/cli/kernel_selftest.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "evoke/base/clock.h"
#include "evoke/base/parallel.h"
#include "evoke/cli/commands.h"
#include "evoke/devices/embedded_kernels.h"
#include "evoke/evaluation/judge/verify.h"
#include "evoke/report/tables.h"

namespace evoke::cli {
namespace {

using attention::KernelMutant;
using attention::SelftestState;

// Every kernel sees the same inputs, drawn by the pool from secret seeds.
constexpr uint64_t kDraw = 0;
// Of the kernels that have scratch; one call is enough to find a fault there.
constexpr int kScratchRepeats = 3;

// SHAPE/INPUT/LAYOUT
std::string input_of(const std::string& label) {
  const std::size_t first = label.find('/') + 1;
  return label.substr(first, label.rfind('/') - first);
}

struct MutantFile {
  KernelSource source;
  std::vector<KernelMutant> mutants;
};

MutantFile open_mutants(Dialect dialect, const std::vector<std::string>& only) {
  const auto embedded = embedded_mutants(dialect);
  if (!embedded) {
    throw UsageError(
        fmt::format("selftest --device {}: there are no mutants of this kind; "
                    "cpu and cuda have some",
                    to_string(dialect)));
  }
  MutantFile file{
      value_or_throw(KernelSource::parse(
          embedded->text, dialect, "kernels/" + std::string(embedded->path))),
      attention::kernel_mutants(dialect)};
  for (const std::string& name : only) {
    if (std::none_of(
            file.mutants.begin(), file.mutants.end(),
            [&](const KernelMutant& each) { return each.name == name; })) {
      throw UsageError("no mutant is called '" + name + "'");
    }
  }
  std::erase_if(file.mutants, [&](const KernelMutant& each) {
    return !only.empty() &&
           std::find(only.begin(), only.end(), each.name) == only.end();
  });
  return file;
}

KernelSelftestRow row_of(const KernelMutant& mutant,
                         const judge::VerifyReport& report, GateLevel level) {
  KernelSelftestRow row;
  row.mutant = mutant;
  // A fault that never ran proves nothing.
  if (report.refusal) {
    row.message = fmt::format("{}: {}", to_string(report.refusal->kind),
                              report.refusal->message);
    return row;
  }
  for (const judge::CaseResult& each : report.cases) {
    if (each.failure == OutcomeKind::infrastructure_failed) {
      row.message = each.message;
      return row;
    }
    attention::SelftestCell& cell = row.cells[input_of(each.label)];
    ++cell.total;
    if (!each.failure) {
      ++cell.accepted;
      continue;
    }
    ++row.failures[std::string(to_string(*each.failure))];
    if (row.message.empty()) row.message = each.message;
  }
  if (report.cases.empty()) {
    row.message = "no case takes it";
  } else if (mutant.honest) {
    row.state =
        row.failures.empty() ? SelftestState::accepted : SelftestState::refused;
  } else if (!row.failures.empty()) {
    row.state = SelftestState::rejected;
  } else {
    row.state = mutant.left_to_full_list && level != GateLevel::full
                    ? SelftestState::full_list_only
                    : SelftestState::survives;
  }
  return row;
}

// Kernels one after another on several threads; the machine's first fault
// ends them all.
class Trials {
 public:
  Trials(const Laboratory& laboratory, const MutantFile& file,
         const KernelSelftestOptions& options)
      : laboratory_(laboratory), file_(file), options_(options) {
    rows_.resize(file.mutants.size());
  }

  std::vector<KernelSelftestRow> run() {
    in_parallel(options_.num_workers, rows_.size(),
                [this](std::size_t m) { work(m); });
    if (!fault_.empty()) throw StartupError(fault_);
    if (stopped()) throw StartupError("interrupted: nothing is proved");
    return std::move(rows_);
  }

 private:
  bool stopped() const { return options_.stop && options_.stop(); }

  void work(std::size_t m) {
    if (failed_ || stopped()) return;
    auto row = try_one(file_.mutants[m]);
    const std::lock_guard lock(mutex_);
    if (!row) {
      if (!failed_.exchange(true)) fault_ = row.error().message;
      return;
    }
    rows_[m] = std::move(*row);
    ++num_done_;
    if (options_.progress) {
      options_.progress(num_done_, static_cast<int>(rows_.size()));
    }
  }

  Result<KernelSelftestRow> try_one(const KernelMutant& mutant) const {
    const auto kernel = attention::with_mutant(file_.source, mutant);
    if (!kernel) return error_of(kernel);
    judge::VerifyOptions verify;
    verify.level = options_.level;
    verify.draw = kDraw;
    verify.gate.scratch_repeats = kScratchRepeats;
    verify.stop = [this] { return failed_ || stopped(); };
    const auto report =
        judge::verify(*laboratory_.bench, kernel->text(), file_.source.path(),
                      laboratory_.workload, verify);
    if (!report) return failed(mutant.name + ": " + report.error().message);
    return row_of(mutant, *report, options_.level);
  }

  const Laboratory& laboratory_;
  const MutantFile& file_;
  const KernelSelftestOptions& options_;
  std::vector<KernelSelftestRow> rows_;
  std::atomic<bool> failed_ = false;
  std::mutex mutex_;
  int num_done_ = 0;
  std::string fault_;
};

void conclude(KernelSelftestReport& report) {
  attention::SelftestTally tally;
  std::size_t honest = 0;
  std::set<std::string> inputs;
  for (const KernelSelftestRow& row : report.rows) {
    honest += row.mutant.honest ? 1 : 0;
    tally.names[row.state].push_back(row.mutant.name);
    for (const auto& [input, cell] : row.cells) inputs.insert(input);
  }
  report.inputs.assign(inputs.begin(), inputs.end());
  report.passed = tally.passed();
  const std::size_t wrong =
      report.rows.size() - honest - tally.count(SelftestState::full_list_only);
  report.verdict = fmt::format(
      "{}: {} of {} wrong kernels rejected, {} of {} honest ones accepted on "
      "{}{}",
      report.passed ? "passed" : "FAILED", tally.count(SelftestState::rejected),
      wrong, tally.count(SelftestState::accepted), honest, report.device_name,
      tally.exceptions());
}

TextTable matrix_of(const KernelSelftestReport& report) {
  TextTable table{{"kernel", "state"}, {}};
  table.header.insert(table.header.end(), report.inputs.begin(),
                      report.inputs.end());
  table.header.emplace_back("found out as");
  for (const KernelSelftestRow& row : report.rows) {
    std::vector<std::string> line = {
        (row.mutant.honest ? "honest: " : "") + row.mutant.name,
        std::string(to_string(row.state))};
    for (const std::string& input : report.inputs) {
      const auto cell = row.cells.find(input);
      line.push_back(cell == row.cells.end()
                         ? "-"
                         : fmt::format("{}/{}", cell->second.accepted,
                                       cell->second.total));
    }
    std::vector<std::string> failures;
    for (const auto& [outcome, count] : row.failures) {
      failures.push_back(fmt::format("{} x {}", count, outcome));
    }
    line.push_back(fmt::format("{}", fmt::join(failures, ", ")));
    table.rows.push_back(std::move(line));
  }
  return table;
}

std::string title_of(const KernelSelftestReport& report) {
  return fmt::format(
      "Cases of workload {} accepted, of all ({} list), by kind of input; "
      "kernels compiled for and run on {} ({})",
      report.workload, report.level == GateLevel::full ? "full" : "gate",
      report.device, report.device_name);
}

// Why, in a line each, for those that did not end as they have to.
std::string complaints_of(const KernelSelftestReport& report) {
  std::string text;
  for (const KernelSelftestRow& row : report.rows) {
    if (row.state == SelftestState::refused ||
        row.state == SelftestState::not_tried) {
      text += fmt::format("{}: {}\n", row.mutant.name,
                          row.message.substr(0, row.message.find('\n')));
    }
  }
  return text;
}

}  // namespace

KernelSelftestReport run_kernel_selftest(const Laboratory& laboratory,
                                         const KernelSelftestOptions& options) {
  const double start_ms = monotonic_ms();
  const MutantFile file =
      open_mutants(laboratory.bench->dialect(), options.only);
  KernelSelftestReport report;
  report.device = laboratory.device;
  report.device_name = laboratory.bench->greeting().device_name;
  report.workload = laboratory.workload.name;
  report.level = options.level;
  report.rows = Trials(laboratory, file, options).run();
  conclude(report);
  report.elapsed_s = (monotonic_ms() - start_ms) / 1000;
  return report;
}

std::string to_text(const KernelSelftestReport& report) {
  return fmt::format("{}\n{}\n{}{}\n", title_of(report),
                     evoke::to_text(matrix_of(report)), complaints_of(report),
                     report.verdict);
}

std::string to_markdown(const KernelSelftestReport& report) {
  return fmt::format("{}:\n\n{}\n{}**{}**\n", title_of(report),
                     evoke::to_markdown(matrix_of(report)),
                     complaints_of(report), report.verdict);
}

Json to_json(const KernelSelftestReport& report) {
  Json rows = Json::array();
  for (const KernelSelftestRow& row : report.rows) {
    Json cells = Json::object();
    for (const auto& [input, cell] : row.cells) {
      cells[input] = {{"accepted", cell.accepted}, {"total", cell.total}};
    }
    rows.push_back({{"kind", row.mutant.honest ? "honest" : "mutant"},
                    {"name", row.mutant.name},
                    {"description", row.mutant.description},
                    {"state", to_string(row.state)},
                    {"cells", std::move(cells)},
                    {"failures", row.failures},
                    {"message", row.message}});
  }
  return {
      {"device", report.device},     {"device_name", report.device_name},
      {"workload", report.workload}, {"quick", report.level != GateLevel::full},
      {"rows", std::move(rows)},     {"elapsed_s", report.elapsed_s},
      {"passed", report.passed},     {"verdict", report.verdict}};
}

}  // namespace evoke::cli
