#include "evoke/evaluation/judge/launch_profile.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <utility>

#include "evoke/base/utf8.h"

namespace evoke::judge {
namespace {

constexpr std::size_t kMostStalls = 3;
constexpr std::size_t kLongestComplaint = 300;
constexpr std::size_t kLongestName = 120;
constexpr std::string_view kErrorMark = "==ERROR== ";
constexpr std::string_view kWarningMark = "==WARNING== ";

using Field = std::optional<double> LaunchProfile::*;
const std::map<std::string_view, Field>& fields() {
  static const std::map<std::string_view, Field> known = {
      {"gpu__time_duration.sum", &LaunchProfile::duration_us},
      {"sm__throughput.avg.pct_of_peak_sustained_elapsed",
       &LaunchProfile::compute_percent},
      {"gpu__compute_memory_throughput.avg.pct_of_peak_sustained_elapsed",
       &LaunchProfile::memory_percent},
      {"dram__throughput.avg.pct_of_peak_sustained_elapsed",
       &LaunchProfile::dram_percent},
      {"dram__bytes_read.sum", &LaunchProfile::dram_read_bytes},
      {"dram__bytes_write.sum", &LaunchProfile::dram_written_bytes},
      {"lts__t_bytes.sum", &LaunchProfile::l2_bytes},
      {"lts__t_sector_hit_rate.pct", &LaunchProfile::l2_hit_percent},
      {"sm__warps_active.avg.pct_of_peak_sustained_active",
       &LaunchProfile::occupancy_percent},
  };
  return known;
}

// The reason in smsp__average_warps_issue_stalled_REASON_per_issue_active
// .ratio, or nothing. A warp that was selected did not wait.
std::string_view stall_of(std::string_view metric) {
  constexpr std::string_view kBegin = "smsp__average_warps_issue_stalled_";
  constexpr std::string_view kEnd = "_per_issue_active.ratio";
  if (!metric.starts_with(kBegin) || !metric.ends_with(kEnd) ||
      metric.size() <= kBegin.size() + kEnd.size()) {
    return {};
  }
  metric.remove_prefix(kBegin.size());
  metric.remove_suffix(kEnd.size());
  return metric == "selected" ? std::string_view() : metric;
}

// One line of CSV: fields in double quotes or bare, a quote inside doubled.
std::vector<std::string> split(std::string_view line) {
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (std::size_t at = 0; at < line.size(); ++at) {
    const char c = line[at];
    if (c == '"') {
      const bool doubled =
          quoted && at + 1 < line.size() && line[at + 1] == '"';
      if (doubled) {
        cells.back() += c;
        ++at;
      } else {
        quoted = !quoted;
      }
    } else if (c == ',' && !quoted) {
      cells.emplace_back();
    } else if (c != '\r') {
      cells.back() += c;
    }
  }
  return cells;
}

// "1,234.5" is a number, "n/a" is none.
std::optional<double> number_of(std::string text) {
  std::erase(text, ',');
  if (text.empty()) return std::nullopt;
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (*end != 0 || !std::isfinite(value)) return std::nullopt;
  return value;
}

// To bytes and microseconds; other units are as they should be.
double scale_of(std::string_view unit) {
  static const std::map<std::string_view, double> kScales = {
      {"nsecond", 1e-3}, {"ns", 1e-3},   {"usecond", 1},  {"us", 1},
      {"msecond", 1e3},  {"ms", 1e3},    {"second", 1e6}, {"s", 1e6},
      {"Kbyte", 1e3},    {"Mbyte", 1e6}, {"Gbyte", 1e9},  {"Tbyte", 1e12},
  };
  const auto found = kScales.find(unit);
  return found == kScales.end() ? 1 : found->second;
}

class Reader {
 public:
  void read(std::string_view line) {
    note(line);
    std::vector<std::string> cells = split(line);
    if (!cells.empty() && cells.front() == "ID") {
      columns_ = std::move(cells);
      units_.clear();
      return;
    }
    if (columns_.empty() || cells.size() < columns_.size()) return;
    const std::string* const id = cell("ID", cells);
    const std::string* const kernel = cell("Kernel Name", cells);
    if (id == nullptr || kernel == nullptr) return;
    // Under the header of the wide form stand the units.
    if (id->empty()) {
      units_ = std::move(cells);
      return;
    }
    LaunchProfile& launch = launch_of(*id, *kernel);
    const std::string* const metric = cell("Metric Name", cells);
    if (metric != nullptr) {
      const std::string* const unit = cell("Metric Unit", cells);
      const std::string* const value = cell("Metric Value", cells);
      if (value != nullptr) {
        take(launch, *metric, *value, unit == nullptr ? "" : *unit);
      }
      return;
    }
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      take(launch, columns_[i], cells[i], i < units_.size() ? units_[i] : "");
    }
  }

  Result<std::vector<LaunchProfile>> finish() {
    if (launches_.empty()) {
      return failed(complaint_.empty()
                        ? "the profiler saw no launch of the kernel"
                        : complaint_);
    }
    std::vector<LaunchProfile> launches;
    for (auto& [id, launch] : launches_) {
      auto& stalls = launch.stalls;
      std::stable_sort(
          stalls.begin(), stalls.end(),
          [](const auto& a, const auto& b) { return a.warps > b.warps; });
      if (stalls.size() > kMostStalls) stalls.resize(kMostStalls);
      launches.push_back(std::move(launch));
    }
    return launches;
  }

 private:
  const std::string* cell(std::string_view column,
                          const std::vector<std::string>& cells) const {
    const auto found = std::find(columns_.begin(), columns_.end(), column);
    return found == columns_.end()
               ? nullptr
               : &cells[static_cast<std::size_t>(found - columns_.begin())];
  }

  // The first error that the tool tells, or else its first warning.
  void note(std::string_view line) {
    const bool error = line.starts_with(kErrorMark);
    if (!error && !line.starts_with(kWarningMark)) return;
    if (has_error_ || (!error && !complaint_.empty())) return;
    has_error_ = error;
    line.remove_prefix(line.find(' ') + 1);
    complaint_ = one_line(line, kLongestComplaint);
  }

  LaunchProfile& launch_of(const std::string& id, const std::string& kernel) {
    for (auto& [known, launch] : launches_) {
      if (known == id) return launch;
    }
    launches_.emplace_back(id, LaunchProfile());
    launches_.back().second.kernel = one_line(kernel, kLongestName);
    return launches_.back().second;
  }

  static void take(LaunchProfile& launch, std::string_view metric,
                   const std::string& text, std::string_view unit) {
    const std::string_view stall = stall_of(metric);
    const auto field = fields().find(metric);
    if (stall.empty() && field == fields().end()) return;
    const auto value = number_of(text);
    if (!value) return;
    if (field != fields().end()) {
      launch.*(field->second) = *value * scale_of(unit);
      return;
    }
    for (const StallReason& known : launch.stalls) {
      if (known.name == stall) return;  // told in two sections
    }
    if (*value > 0) launch.stalls.push_back({std::string(stall), *value});
  }

  std::vector<std::string> columns_;  // of the latest header
  std::vector<std::string> units_;    // wide form only
  std::vector<std::pair<std::string, LaunchProfile>> launches_;  // by ID
  std::string complaint_;
  bool has_error_ = false;
};

}  // namespace

Result<std::vector<LaunchProfile>> read_launch_profiles(std::string_view text) {
  Reader reader;
  while (!text.empty()) {
    const std::size_t length = std::min(text.find('\n'), text.size());
    reader.read(text.substr(0, length));
    text.remove_prefix(std::min(length + 1, text.size()));
  }
  return reader.finish();
}

Json to_json(const std::vector<LaunchProfile>& launches) {
  Json rows = Json::array();
  for (const LaunchProfile& launch : launches) {
    Json row = {{"kernel", launch.kernel}};
    const auto add = [&](const char* name, const std::optional<double>& value) {
      if (value) row[name] = *value;
    };
    add("duration_us", launch.duration_us);
    add("compute_percent", launch.compute_percent);
    add("memory_percent", launch.memory_percent);
    add("dram_percent", launch.dram_percent);
    add("dram_read_bytes", launch.dram_read_bytes);
    add("dram_written_bytes", launch.dram_written_bytes);
    add("l2_bytes", launch.l2_bytes);
    add("l2_hit_percent", launch.l2_hit_percent);
    add("occupancy_percent", launch.occupancy_percent);
    Json stalls = Json::array();
    for (const StallReason& each : launch.stalls) {
      stalls.push_back({{"reason", each.name}, {"warps", each.warps}});
    }
    row["stalls"] = std::move(stalls);
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace evoke::judge
