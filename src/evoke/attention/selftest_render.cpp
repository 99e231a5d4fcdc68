#include <fmt/format.h>

#include <algorithm>

#include "evoke/attention/selftest.h"

namespace evoke::attention {
namespace {

constexpr std::string_view kKindNames[] = {"honest, left out", "honest, other",
                                           "policy",           "mutant",
                                           "blind mutant",     "random mutant"};

constexpr std::string_view kStateNames[] = {"accepted",  "refused",
                                            "rejected",  "survives",
                                            "not tried", "full list only"};

std::string text_of(const SelftestCell& cell) {
  return cell.total == 0 ? "-"
                         : fmt::format("{}/{}", cell.accepted, cell.total);
}

using Table = std::vector<std::vector<std::string>>;

Table matrix_of(const SelftestReport& report) {
  Table table;
  std::vector<std::string> header = {"kind", "kernel", "state"};
  header.insert(header.end(), report.columns.begin(), report.columns.end());
  table.push_back(std::move(header));
  for (const SelftestRow& row : report.rows) {
    std::vector<std::string> line = {std::string(to_string(row.kind)), row.name,
                                     std::string(to_string(row.state))};
    for (const SelftestCell& cell : row.cells) line.push_back(text_of(cell));
    table.push_back(std::move(line));
  }
  return table;
}

Table power_table_of(const SelftestReport& report) {
  Table table;
  std::vector<std::string> header = {"shape", "inputs", "mutants"};
  header.insert(header.end(), report.power_columns.begin(),
                report.power_columns.end());
  header.emplace_back("accepted by ours");
  table.push_back(std::move(header));
  for (const ShapePower& power : report.power) {
    std::vector<std::string> line = {power.shape, power.inputs,
                                     fmt::format("{}", power.mutants)};
    for (const int accepted : power.accepted) {
      line.push_back(fmt::format("{}", accepted));
    }
    std::string names;
    for (const std::string& name : power.by_ours) {
      names += (names.empty() ? "" : ", ") + name;
    }
    line.push_back(std::move(names));
    table.push_back(std::move(line));
  }
  return table;
}

std::string aligned(const Table& table) {
  std::vector<std::size_t> widths(table.front().size());
  for (const auto& line : table) {
    for (std::size_t c = 0; c < line.size(); ++c) {
      widths[c] = std::max(widths[c], line[c].size());
    }
  }
  std::string text;
  for (const auto& line : table) {
    std::string row;
    for (std::size_t c = 0; c < line.size(); ++c) {
      row += fmt::format("{:<{}}  ", line[c], widths[c]);
    }
    row.erase(row.find_last_not_of(' ') + 1);
    text += row + "\n";
  }
  return text;
}

std::string markdown(const Table& table) {
  std::string text;
  for (std::size_t r = 0; r < table.size(); ++r) {
    text += "|";
    for (const std::string& cell : table[r]) text += " " + cell + " |";
    text += "\n";
    if (r > 0) continue;
    text += "|";
    for (std::size_t c = 0; c < table[0].size(); ++c) text += "---|";
    text += "\n";
  }
  return text;
}

constexpr std::string_view kMatrixTitle =
    "Inputs accepted, of those that the kernel gets wrong (honest: of all; -: "
    "none). "
    "gate and full: ours; the others: the rules of other projects on N(0,1) "
    "at the timed shapes";
constexpr std::string_view kPowerTitle =
    "Mutants accepted when only this timed shape can catch them";

}  // namespace

std::string_view to_string(SelftestKind kind) {
  return kKindNames[static_cast<std::size_t>(kind)];
}

std::string_view to_string(SelftestState state) {
  return kStateNames[static_cast<std::size_t>(state)];
}

std::string to_text(const SelftestReport& report) {
  return fmt::format("{}\n{}\n{}\n{}\n{}\n", kMatrixTitle,
                     aligned(matrix_of(report)), kPowerTitle,
                     aligned(power_table_of(report)), report.verdict);
}

std::string to_markdown(const SelftestReport& report) {
  return fmt::format("{}:\n\n{}\n{}:\n\n{}\n**{}**\n", kMatrixTitle,
                     markdown(matrix_of(report)), kPowerTitle,
                     markdown(power_table_of(report)), report.verdict);
}

Json to_json(const SelftestReport& report) {
  Json rows = Json::array();
  for (const SelftestRow& row : report.rows) {
    Json cells = Json::object();
    for (std::size_t c = 0; c < row.cells.size(); ++c) {
      cells[report.columns[c]] = {{"accepted", row.cells[c].accepted},
                                  {"total", row.cells[c].total}};
    }
    rows.push_back({{"kind", to_string(row.kind)},
                    {"name", row.name},
                    {"description", row.description},
                    {"state", to_string(row.state)},
                    {"cells", std::move(cells)},
                    {"survives", row.survives}});
  }
  Json power = Json::array();
  for (const ShapePower& each : report.power) {
    Json accepted = Json::object();
    for (std::size_t c = 0; c < each.accepted.size(); ++c) {
      accepted[report.power_columns[c]] = each.accepted[c];
    }
    power.push_back({{"shape", each.shape},
                     {"inputs", each.inputs},
                     {"mutants", each.mutants},
                     {"accepted", std::move(accepted)},
                     {"accepted_by_ours", each.by_ours}});
  }
  return {{"workload", report.workload},
          {"quick", report.options.quick},
          {"seed", report.options.seed},
          {"gate_cases", report.gate_cases},
          {"full_cases", report.full_cases},
          {"rows", std::move(rows)},
          {"power", std::move(power)},
          {"honest_worst", report.honest_worst},
          {"mutant_weakest", report.mutant_weakest},
          {"weakest_mutant", report.weakest_mutant},
          {"elapsed_s", report.elapsed_s},
          {"passed", report.passed},
          {"verdict", report.verdict}};
}

}  // namespace evoke::attention
