#include <fmt/format.h>

#include "evoke/report/render.h"
#include "evoke/report/tables.h"

namespace evoke {

std::string to_markdown(const RunReport& report) {
  std::string text = "# evoke run\n\n" + report.headline() + "\n\n";
  if (report.best && report.best->outcome.measurements) {
    const Measurements& measurements = *report.best->outcome.measurements;
    text += "## The best kernel, shape by shape\n\n" +
            to_markdown(measurement_table(measurements.shapes)) + "\n";
    const std::string caveat = baseline_caveat(measurements);
    if (!caveat.empty()) text += caveat + "\n\n";
  }
  text += fmt::format("## The search\n\n{} steps in {:.0f} s.\n\n",
                      report.summary.steps, report.summary.elapsed_s);
  TextTable counts{{"outcome", "count"}, {}};
  for (std::size_t i = 0; i < kNumOutcomeKinds; ++i) {
    if (report.summary.counts[i] == 0) continue;
    counts.rows.push_back({std::string(to_string(static_cast<OutcomeKind>(i))),
                           fmt::format("{}", report.summary.counts[i])});
  }
  text += to_markdown(counts) + "\n";
  if (!report.devices.empty()) {
    text += to_markdown(device_table(report)) + "\n";
  }
  if (!report.genes.empty()) {
    TextTable genes{{"parameter", "founder", "best"}, {}};
    for (const GeneChange& gene : report.genes) {
      genes.rows.push_back({gene.name, fmt::format("{}", gene.founder),
                            fmt::format("{}", gene.best)});
    }
    text += "## What differs from the founder\n\n" + to_markdown(genes) + "\n";
  }
  if (!report.facts.empty()) {
    text += "## Conditions\n\n```json\n" + report.facts.dump(2) + "\n```\n";
  }
  return text;
}

Json to_json(const RunReport& report) {
  Json best_over_time = Json::array();
  for (const BestChange& change : report.best_over_time) {
    best_over_time.push_back({{"elapsed_s", change.elapsed_s},
                              {"candidate", change.candidate},
                              {"fitness", change.fitness.value},
                              {"low", change.fitness.low},
                              {"high", change.fitness.high}});
  }
  Json counts = Json::object();
  for (std::size_t i = 0; i < kNumOutcomeKinds; ++i) {
    counts[std::string(to_string(static_cast<OutcomeKind>(i)))] =
        report.summary.counts[i];
  }
  Json stages = Json::object();
  for (std::size_t i = 0; i < kNumStages; ++i) {
    stages[std::string(to_string(static_cast<Stage>(i)))] = {
        {"total_ms", report.stage_ms[i]}, {"ended_here", report.ended_at[i]}};
  }
  Json devices = Json::object();
  for (const auto& [id, share] : report.devices) {
    devices[id] = {{"judged", share.judged}, {"confirmed", share.confirmed}};
  }
  Json lineage = Json::array();
  for (const Ancestor& ancestor : report.lineage) {
    lineage.push_back(
        {{"id", ancestor.id},
         {"operation", ancestor.operation},
         {"summary", ancestor.summary},
         {"fitness",
          ancestor.fitness ? Json(ancestor.fitness->value) : Json(nullptr)}});
  }
  Json genes = Json::array();
  for (const GeneChange& gene : report.genes) {
    genes.push_back(
        {{"name", gene.name}, {"founder", gene.founder}, {"best", gene.best}});
  }
  Json cells = Json::array();
  for (const CellElite& cell : report.cells) {
    cells.push_back({{"bins", cell.bins},
                     {"candidate", cell.candidate},
                     {"fitness", cell.fitness}});
  }
  return {{"folder", report.folder},
          {"headline", report.headline()},
          {"reference", report.reference},
          {"steps", report.summary.steps},
          {"elapsed_s", report.summary.elapsed_s},
          {"finished", report.summary.finished},
          {"counts", counts},
          {"stages", stages},
          {"devices", devices},
          {"best", report.best ? to_json(report.best->outcome) : Json(nullptr)},
          {"best_kernel",
           report.best ? Json(report.best->candidate.text) : Json(nullptr)},
          {"best_over_time", best_over_time},
          {"lineage", lineage},
          {"genes", genes},
          {"cells", cells},
          {"facts", report.facts}};
}

}  // namespace evoke
