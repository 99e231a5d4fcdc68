#include "evoke/report/tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "evoke/report/report_data.h"

namespace evoke {
namespace {

// Code points, which is display width for what tables here hold.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char byte) {
        return (static_cast<unsigned char>(byte) & 0xc0) != 0x80;
      }));
}

std::string padded(const std::string& text, std::size_t width, bool left) {
  const std::string blanks(width - std::min(width, width_of(text)), ' ');
  return left ? text + blanks : blanks + text;
}

bool is_strong(const std::string& baseline) {
  return baseline == "onednn" || baseline == "openvino";
}

}  // namespace

std::string to_text(const TextTable& table) {
  std::vector<std::size_t> widths;
  for (const auto& name : table.header) widths.push_back(width_of(name));
  for (const auto& row : table.rows) {
    for (std::size_t i = 0; i < row.size() && i < widths.size(); ++i) {
      widths[i] = std::max(widths[i], width_of(row[i]));
    }
  }
  std::string text;
  const auto add = [&](const std::vector<std::string>& row) {
    std::string line;
    for (std::size_t i = 0; i < row.size() && i < widths.size(); ++i) {
      line += (i ? "  " : "") + padded(row[i], widths[i], i == 0);
    }
    while (!line.empty() && line.back() == ' ') line.pop_back();
    text += line + "\n";
  };
  add(table.header);
  for (const auto& row : table.rows) add(row);
  return text;
}

std::string to_markdown(const TextTable& table) {
  std::string text = "|";
  for (const auto& name : table.header) text += " " + name + " |";
  text += "\n|";
  for (std::size_t i = 0; i < table.header.size(); ++i) {
    text += i ? "---:|" : "---|";
  }
  text += "\n";
  for (const auto& row : table.rows) {
    text += "|";
    for (const auto& cell : row) text += " " + cell + " |";
    text += "\n";
  }
  return text;
}

std::string speedup_text(double value, double low, double high) {
  return fmt::format("{:.3f}x [{:.3f}, {:.3f}]", value, low, high);
}

std::string time_text(double us) {
  if (!(us > 0)) return "-";
  if (us < 1000) return fmt::format("{:.1f} us", us);
  if (us < 1e6) return fmt::format("{:.2f} ms", us * 1e-3);
  return fmt::format("{:.2f} s", us * 1e-6);
}

TextTable device_table(const RunReport& report) {
  TextTable table{{"device", "judged", "confirmed"}, {}};
  for (const auto& [id, share] : report.devices) {
    table.rows.push_back({id, fmt::format("{}", share.judged),
                          fmt::format("{}", share.confirmed)});
  }
  return table;
}

TextTable measurement_table(const std::vector<ShapeMeasurement>& shapes) {
  TextTable table;
  table.header = {"shape",    "inputs",  "against", "its time", "time",
                  "speed-up", "verdict", "of roof", "pairs"};
  for (const ShapeMeasurement& shape : shapes) {
    const bool measured = !shape.pairs.empty();
    const std::string other = shape.same_code ? "same code" : "not measured";
    table.rows.push_back(
        {shape.shape, shape.cache_state == CacheState::cold ? "cold" : "warm",
         shape.baseline, time_text(shape.baseline_us),
         time_text(shape.candidate_us),
         measured ? speedup_text(shape.speedup, shape.speedup_low,
                                 shape.speedup_high)
                  : other,
         measured ? std::string(to_string(shape.verdict)) : "-",
         shape.roof_us > 0 && shape.candidate_us > 0
             ? fmt::format("{:.0f} %", 100 * shape.roof_us / shape.candidate_us)
             : "-",
         fmt::format("{}", shape.pairs.size())});
  }
  return table;
}

int count_verdict(const Measurements& measurements, const std::string& baseline,
                  SpeedVerdict verdict) {
  return static_cast<int>(
      std::count_if(measurements.shapes.begin(), measurements.shapes.end(),
                    [&](const ShapeMeasurement& shape) {
                      return shape.baseline == baseline && shape.has_result() &&
                             shape.cache_state == CacheState::cold &&
                             shape.verdict == verdict;
                    }));
}

std::string baseline_caveat(const Measurements& measurements) {
  bool mlx = false;
  bool strong = false;
  for (const ShapeMeasurement& shape : measurements.shapes) {
    mlx = mlx || shape.baseline == "mlx";
    strong = strong || is_strong(shape.baseline);
  }
  if (mlx && !strong) {
    return "MLX evaluates bf16 attention on Linux CPUs without vector code, so "
           "a ratio against it says little by itself; no stronger baseline was "
           "available in this measurement.";
  }
  return {};
}

}  // namespace evoke
