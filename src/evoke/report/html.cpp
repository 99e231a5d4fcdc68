#include <fmt/format.h>

#include <algorithm>

#include "evoke/report/render.h"
#include "evoke/report/svg.h"
#include "evoke/report/tables.h"

namespace evoke {
namespace {

constexpr const char* kStyle = R"(
:root{--ink:#1b1f24;--soft:#5b6470;--line:#d8dde3;--paper:#fff;--tint:#f5f7f9;
--a:#0b6bcb;--b0:#0b6bcb;--b1:#8a94a0;--b2:#b3741a;--b3:#7a5ca8;--b4:#3c8f5a;
--good:#1a7f4b;--bad:#b3261e}
@media (prefers-color-scheme:dark){:root{--ink:#e4e8ec;--soft:#9aa4af;
--line:#333b44;--paper:#14181d;--tint:#1b2027;--a:#5aa9f5;--b0:#5aa9f5;
--b1:#76818d;--b2:#d69a45;--b3:#a88bd6;--b4:#5fbf83;--good:#5fbf83;
--bad:#f28b82}}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);
font:16px/1.55 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:1040px;margin:0 auto;padding:2.2rem 1.2rem 4rem}
h1{font-size:1.7rem;margin:0 0 .3rem}h2{font-size:1.15rem;margin:2.4rem 0 .6rem}
p.lead{font-size:1.15rem;margin:.2rem 0 1rem}p.note{color:var(--soft);
font-size:.92rem}figure{margin:0;overflow-x:auto}svg{width:100%;height:auto;
display:block;font:12px system-ui,sans-serif}svg text{fill:var(--soft)}
svg text.strong{fill:var(--ink);font-weight:600}svg text.on{fill:var(--ink)}
.grid{stroke:var(--line)}.one{stroke:var(--soft);stroke-dasharray:4 4}
.cloud{fill:var(--soft);opacity:.45}.band{fill:var(--a);opacity:.18}
.best{fill:none;stroke:var(--a);stroke-width:2}.whisker{stroke:var(--ink);
stroke-width:1.5}.bar0{fill:var(--b0)}.bar1{fill:var(--b1)}.bar2{fill:var(--b2)}
.bar3{fill:var(--b3)}.bar4{fill:var(--b4)}.cell{fill:var(--tint)}
.elite{fill:var(--a)}.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.9rem;
font-variant-numeric:tabular-nums}th,td{padding:.32rem .6rem;text-align:right;
border-bottom:1px solid var(--line);white-space:nowrap}
th:first-child,td:first-child{text-align:left}th{color:var(--soft);
font-weight:500}td.faster{color:var(--good);font-weight:600}
td.slower{color:var(--bad);font-weight:600}
pre{background:var(--tint);border:1px solid var(--line);border-radius:6px;
padding:.8rem 1rem;overflow-x:auto;font-size:.82rem;line-height:1.45}
details summary{cursor:pointer;color:var(--a)}ol.lineage{padding-left:1.2rem}
ol.lineage li{margin:.25rem 0}@media print{details{display:none}})";

std::string html_table(const TextTable& table) {
  std::string html = "<div class=\"scroll\"><table><thead><tr>";
  for (const auto& name : table.header) {
    html += "<th>" + escape_html(name) + "</th>";
  }
  html += "</tr></thead><tbody>";
  for (const auto& row : table.rows) {
    html += "<tr>";
    for (const auto& cell : row) {
      const char* style = cell == "faster"   ? " class=\"faster\""
                          : cell == "slower" ? " class=\"slower\""
                                             : "";
      html += fmt::format("<td{}>{}</td>", style, escape_html(cell));
    }
    html += "</tr>";
  }
  return html + "</tbody></table></div>";
}

std::string progress_section(const RunReport& report) {
  StepLine best;
  for (const BestChange& change : report.best_over_time) {
    best.points.push_back({change.elapsed_s, change.fitness.value,
                           change.fitness.low, change.fitness.high});
  }
  std::vector<std::pair<double, double>> cloud;
  for (const ScoredPoint& point : report.scored) {
    cloud.emplace_back(point.elapsed_s, point.fitness);
  }
  return "<h2>Best speed-up over time</h2><figure>" +
         progress_plot(best, cloud, report.summary.elapsed_s, "seconds",
                       "speed-up") +
         "</figure><p class=\"note\">The line is the confirmed best with its "
         "interval; each dot is one candidate's search score, which is a "
         "lucky draw among many and proves nothing by itself. Speed-ups are "
         "relative to " +
         escape_html(report.reference) + ".</p>";
}

// One group per shape: the kernel, what it was raced against, the roof.
std::string bars_section(const Measurements& measurements) {
  std::vector<BarGroup> groups;
  std::vector<std::string> baselines;
  for (const ShapeMeasurement& shape : measurements.shapes) {
    if (shape.cache_state != CacheState::cold || !shape.has_result() ||
        !(shape.candidate_us > 0)) {
      continue;
    }
    auto group = std::find_if(groups.begin(), groups.end(), [&](const auto& g) {
      return g.label == shape.shape;
    });
    if (group == groups.end()) {
      groups.push_back({shape.shape, {}});
      group = groups.end() - 1;
      group->bars.push_back({"this kernel", shape.candidate_us, 0, 0,
                             time_text(shape.candidate_us), 0});
      if (shape.roof_us > 0) {
        group->bars.push_back(
            {"roof", shape.roof_us, 0, 0, time_text(shape.roof_us), 4});
      }
    }
    auto known = std::find(baselines.begin(), baselines.end(), shape.baseline);
    if (known == baselines.end()) {
      baselines.push_back(shape.baseline);
      known = baselines.end() - 1;
    }
    const int colour = 1 + static_cast<int>(known - baselines.begin()) % 3;
    group->bars.insert(group->bars.begin() + 1,
                       {shape.baseline, shape.baseline_us,
                        shape.candidate_us * shape.speedup_low,
                        shape.candidate_us * shape.speedup_high,
                        time_text(shape.baseline_us), colour});
  }
  if (groups.empty()) return {};
  return "<figure>" + bar_plot(groups) +
         "</figure><p class=\"note\">Median time per call, logarithmic, inputs "
         "cold. Whiskers: the interval of the speed-up, as the baseline's time "
         "relative to this kernel's. No kernel on this machine can be shorter "
         "than the roof.</p>";
}

std::string outcomes_section(const RunReport& report) {
  TextTable counts{{"outcome", "count"}, {}};
  for (std::size_t i = 0; i < kNumOutcomeKinds; ++i) {
    if (report.summary.counts[i] == 0) continue;
    counts.rows.push_back({std::string(to_string(static_cast<OutcomeKind>(i))),
                           fmt::format("{}", report.summary.counts[i])});
  }
  TextTable stages{{"stage", "time", "ended here"}, {}};
  for (std::size_t i = 0; i < kNumStages; ++i) {
    stages.rows.push_back({std::string(to_string(static_cast<Stage>(i))),
                           time_text(report.stage_ms[i] * 1000),
                           fmt::format("{}", report.ended_at[i])});
  }
  return "<h2>What happened to the candidates</h2>" + html_table(counts) +
         html_table(stages) +
         (report.devices.empty() ? "" : html_table(device_table(report)));
}

std::string archive_section(const RunReport& report) {
  if (report.axes.empty() || report.cells.empty()) return {};
  const bool two = report.axes.size() > 1;
  std::vector<HeatCell> cells;
  for (const CellElite& cell : report.cells) {
    if (cell.bins.empty()) continue;
    cells.push_back({cell.bins[0],
                     two && cell.bins.size() > 1 ? cell.bins[1] : 0,
                     cell.fitness, fmt::format("{:.2f}", cell.fitness)});
  }
  return "<h2>The archive</h2><figure>" +
         heat_map(cells, report.axes[0].bins, two ? report.axes[1].bins : 1,
                  report.axes[0].name, two ? report.axes[1].name : "") +
         "</figure><p class=\"note\">The best elite of each cell over all "
         "islands, by its search score.</p>";
}

std::string lineage_section(const RunReport& report) {
  if (report.lineage.empty()) return {};
  std::string html = "<h2>Lineage</h2><ol class=\"lineage\">";
  for (const Ancestor& ancestor : report.lineage) {
    html += fmt::format(
        "<li>#{} <b>{}</b> {}{}</li>", ancestor.id,
        escape_html(ancestor.operation), escape_html(ancestor.summary),
        ancestor.fitness ? " — " + speedup_text(ancestor.fitness->value,
                                                ancestor.fitness->low,
                                                ancestor.fitness->high)
                         : "");
  }
  html += "</ol>";
  if (!report.genes.empty()) {
    TextTable genes{{"parameter", "founder", "best"}, {}};
    for (const GeneChange& gene : report.genes) {
      genes.rows.push_back({gene.name, fmt::format("{}", gene.founder),
                            fmt::format("{}", gene.best)});
    }
    html += html_table(genes);
  }
  return html;
}

}  // namespace

std::string to_html(const RunReport& report) {
  std::string html =
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
      "<title>evoke run</title><style>" +
      std::string(kStyle) + "</style></head><body><main><h1>evoke run</h1>";
  html += "<p class=\"lead\">" + escape_html(report.headline()) + "</p>";
  html +=
      fmt::format("<p class=\"note\">{} steps in {:.0f} s, workload {}{}.</p>",
                  report.summary.steps, report.summary.elapsed_s,
                  escape_html(report.config.workload),
                  report.summary.finished ? "" : ", not finished");
  if (report.best && report.best->outcome.measurements) {
    const Measurements& measurements = *report.best->outcome.measurements;
    html += "<h2>The best kernel, shape by shape</h2>" +
            html_table(measurement_table(measurements.shapes));
    const std::string caveat = baseline_caveat(measurements);
    if (!caveat.empty()) {
      html += "<p class=\"note\">" + escape_html(caveat) + "</p>";
    }
    html += bars_section(measurements);
  }
  html += progress_section(report);
  html += lineage_section(report);
  html += outcomes_section(report);
  html += archive_section(report);
  html += "<h2>Conditions</h2>";
  if (!report.confinement.empty()) {
    html += "<p class=\"note\">Walls around candidates: ";
    for (std::size_t i = 0; i < report.confinement.size(); ++i) {
      html += (i ? ", " : "") + escape_html(report.confinement[i]);
    }
    html += ".</p>";
  }
  html += "<details><summary>Machine, versions, configuration</summary><pre>" +
          escape_html(report.facts.dump(2)) + "\n\n" +
          escape_html(to_toml(report.config)) + "</pre></details>";
  if (report.best) {
    html += "<details><summary>The kernel file</summary><pre>" +
            escape_html(report.best->candidate.text) + "</pre></details>";
  }
  return html + "</main></body></html>\n";
}

}  // namespace evoke
