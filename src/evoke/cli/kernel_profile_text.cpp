#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "evoke/base/utf8.h"
#include "evoke/cli/kernel_profile.h"
#include "evoke/report/tables.h"

namespace evoke::cli {
namespace {

constexpr std::size_t kLineWidth = 96;
constexpr std::size_t kLabelWidth = 10;
constexpr std::size_t kMostInstructionKinds = 10;

// "  work      16.8 MB, 33.6 MFLOP"; what is too long goes on below.
std::string labelled(const std::string& label,
                     const std::vector<std::string>& parts) {
  std::string text;
  std::string line = fmt::format("  {:<{}}", label, kLabelWidth);
  bool first = true;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::string part = parts[i] + (i + 1 < parts.size() ? "," : "");
    if (!first && line.size() + 1 + part.size() > kLineWidth) {
      text += line + "\n";
      line.assign(kLabelWidth + 2, ' ');
      first = true;
    }
    line += (first ? "" : " ") + part;
    first = false;
  }
  return parts.empty() ? "" : text + line + "\n";
}

// "4.2 MB", "33.6 GFLOP".
std::string amount(double value, const char* unit) {
  constexpr std::array kPrefixes = {"", "k", "M", "G", "T"};
  std::size_t i = 0;
  for (; value >= 1000 && i + 1 < kPrefixes.size(); ++i) value /= 1000;
  return fmt::format("{:.3g} {}{}", value, kPrefixes[i], unit);
}

// Of memory on the chip: "48 KiB", "96 B".
std::string memory_text(double bytes) {
  if (bytes < 1024) return fmt::format("{:.0f} B", bytes);
  if (bytes < 1024 * 1024) return fmt::format("{:.4g} KiB", bytes / 1024);
  return fmt::format("{:.4g} MiB", bytes / (1024 * 1024));
}

// "16x8", without ones at the end.
std::string extents(const std::array<int64_t, 3>& sizes) {
  std::string text = std::to_string(sizes[0]);
  if (sizes[1] > 1 || sizes[2] > 1) text += fmt::format("x{}", sizes[1]);
  if (sizes[2] > 1) text += fmt::format("x{}", sizes[2]);
  return text;
}

std::string sizes_of(const Shape& shape) {
  std::string text;
  for (const auto& [name, value] : shape.values) {
    text += fmt::format("{}{}={}", text.empty() ? "" : " ", name, value);
  }
  return text;
}

// Reports are what a runner sent: anything may be missing.
double number_at(const Json& report, const char* name) {
  if (!report.is_object()) return -1;
  const auto found = report.find(name);
  return found == report.end() || !found->is_number() ? -1
                                                      : found->get<double>();
}

std::string text_at(const Json& report, const char* name) {
  if (!report.is_object()) return "";
  const auto found = report.find(name);
  return found == report.end() || !found->is_string()
             ? ""
             : one_line(found->get<std::string>(), 40);
}

const Json& object_at(const Json& report, const std::string& name) {
  static const Json none = Json::object();
  if (!report.is_object()) return none;
  const auto found = report.find(name);
  return found == report.end() || !found->is_object() ? none : *found;
}

// What the compiler says of a whole unit, but its size.
std::vector<std::string> unit_facts(const Json& report) {
  std::vector<std::string> facts;
  if (!report.is_object()) return facts;
  const double code = number_at(report, "code_bytes");
  if (code >= 0) facts.push_back(memory_text(code) + " of code");
  const double tables = number_at(report, "constant_bytes");
  if (tables > 0) facts.push_back(memory_text(tables) + " of tables");
  const double instructions = number_at(report, "instructions");
  if (instructions >= 0) {
    facts.push_back(fmt::format("{:.0f} instructions", instructions));
  }
  for (const char* name : {"isa", "imports"}) {
    const auto list = report.find(name);
    if (list == report.end() || !list->is_array() || list->empty()) continue;
    std::string words;
    for (const Json& each : *list) {
      if (each.is_string()) words += " " + each.get<std::string>();
    }
    facts.push_back(one_line(name + words, kLineWidth));
  }
  for (const auto& [name, word] : {std::pair{"architecture", "for"},
                                   {"nvrtc", "by NVRTC"},
                                   {"metal_version", "Metal"}}) {
    const std::string text = text_at(report, name);
    if (!text.empty()) facts.push_back(fmt::format("{} {}", word, text));
  }
  if (report.value("cached", Json()) == true) {
    facts.emplace_back("compiled before");
  } else if (const double ms = number_at(report, "compile_ms"); ms > 0) {
    facts.push_back(fmt::format("compiled in {}", time_text(ms * 1e3)));
  }
  return facts;
}

std::string spills_text(const Json& kernel) {
  const double stored = number_at(kernel, "spill_store_bytes");
  const double loaded = number_at(kernel, "spill_load_bytes");
  if (stored < 0 && loaded < 0) return "";
  const double most = std::max(stored, loaded);
  return most > 0 ? memory_text(most) : "none";
}

std::string occupancy_text(const Json& kernel) {
  const double occupancy = number_at(kernel, "occupancy");
  if (occupancy < 0) return "";
  const std::string limit = text_at(kernel, "limited_by");
  return fmt::format("{:.0f} %{}", 100 * occupancy,
                     limit.empty() ? "" : ", " + limit);
}

// A row per launch; columns that say nothing anywhere are left out.
TextTable launch_table(const ShapeProfile& shape) {
  TextTable table{{"launch", "grid", "threads", "cluster", "dynamic", "static",
                   "regs", "spilled", "code", "occupancy"},
                  {}};
  const Json& kernels = object_at(shape.report, "kernels");
  for (const ResolvedLaunch& launch : shape.plan.launches) {
    const Json& kernel = object_at(kernels, launch.kernel);
    const auto number = [&](const char* name, auto show) {
      const double value = number_at(kernel, name);
      return value < 0 ? std::string() : show(value);
    };
    const auto plain = [](double value) {
      return fmt::format("{:.0f}", value);
    };
    const bool clustered = launch.cluster != std::array<int64_t, 3>{1, 1, 1};
    table.rows.push_back(
        {"  " + launch.kernel, extents(launch.threadgroups),
         extents(launch.threads), clustered ? extents(launch.cluster) : "",
         launch.dynamic_memory_bytes > 0
             ? memory_text(static_cast<double>(launch.dynamic_memory_bytes))
             : "",
         number("static_shared_bytes", memory_text), number("registers", plain),
         spills_text(kernel), number("code_bytes", memory_text),
         occupancy_text(kernel)});
  }
  table.header.front() = "  launch";
  for (std::size_t i = table.header.size(); i-- > 0;) {
    const bool empty =
        std::all_of(table.rows.begin(), table.rows.end(),
                    [&](const auto& row) { return row[i].empty(); });
    if (!empty) continue;
    const auto column = static_cast<std::ptrdiff_t>(i);
    table.header.erase(table.header.begin() + column);
    for (auto& row : table.rows) row.erase(row.begin() + column);
  }
  return table;
}

// "global load 128 64, fma 512": the most frequent kinds of each kernel.
std::string instruction_mix(const ShapeProfile& shape) {
  std::string text;
  for (const auto& [name, kernel] :
       object_at(shape.report, "kernels").items()) {
    std::vector<std::pair<double, std::string>> kinds;
    for (const auto& [kind, count] :
         object_at(kernel, "instructions").items()) {
      if (count.is_number()) kinds.emplace_back(count.get<double>(), kind);
    }
    if (kinds.empty()) continue;
    std::stable_sort(
        kinds.begin(), kinds.end(),
        [](const auto& a, const auto& b) { return a.first > b.first; });
    std::vector<std::string> parts;
    for (const auto& [count, kind] : kinds) {
      if (parts.size() == kMostInstructionKinds) {
        parts.emplace_back("...");
        break;
      }
      parts.push_back(fmt::format("{:.0f} {}", count, one_line(kind, 40)));
    }
    parts.front() = one_line(name, 40) + ": " + parts.front();
    text += labelled("machine", parts);
  }
  return text;
}

std::string percent(const char* what, const std::optional<double>& value) {
  return value ? fmt::format("{} {:.0f} %", what, *value) : "";
}

std::string profiler_text(const judge::LaunchProfile& launch) {
  std::vector<std::string> rates;
  std::vector<std::string> traffic;
  const auto add = [](std::vector<std::string>& parts, std::string part) {
    if (!part.empty()) parts.push_back(std::move(part));
  };
  add(rates, percent("compute", launch.compute_percent));
  add(rates, percent("memory", launch.memory_percent));
  add(rates, percent("DRAM", launch.dram_percent));
  add(rates, percent("occupancy", launch.occupancy_percent));
  if (launch.duration_us) {
    add(rates, time_text(*launch.duration_us) + " under the profiler");
  }
  if (launch.dram_read_bytes) {
    add(traffic, amount(*launch.dram_read_bytes, "B") + " read from DRAM");
  }
  if (launch.dram_written_bytes) {
    add(traffic, amount(*launch.dram_written_bytes, "B") + " written");
  }
  if (launch.l2_bytes) {
    add(traffic, amount(*launch.l2_bytes, "B") + " through L2");
  }
  add(traffic, percent("hits in L2", launch.l2_hit_percent));
  std::vector<std::string> stalls;
  for (const judge::StallReason& stall : launch.stalls) {
    stalls.push_back(fmt::format("{} {:.1f}", stall.name, stall.warps));
  }
  if (!stalls.empty()) stalls.back() += " warps per instruction";
  if (rates.empty()) rates.emplace_back("no rates");
  rates.front() = launch.kernel + ": " + rates.front();
  return labelled("profiler", rates) + labelled("", traffic) +
         labelled("stalls", stalls);
}

std::string roof_text(const ShapeProfile& shape,
                      const judge::Roofline& roofline) {
  const double roof_us = roofline.roof_us(shape.work, CacheState::cold);
  if (!(roof_us > 0)) return "";
  const bool memory = shape.work.bytes / roofline.read_bytes_per_s >=
                      shape.work.flops / roofline.flops_per_s;
  return fmt::format("roof {} ({})", time_text(roof_us),
                     memory ? "memory" : "arithmetic");
}

std::string timing_text(const ShapeMeasurement& time) {
  double least = time.candidate_us;
  double most = least;
  for (const TimedPair& pair : time.pairs) {
    least = std::min({least, pair.baseline_us, pair.candidate_us});
    most = std::max({most, pair.baseline_us, pair.candidate_us});
  }
  std::vector<std::string> parts = {time_text(time.candidate_us) + " cold"};
  if (time.roof_us > 0) {
    parts.push_back(fmt::format("{:.0f} % of the roof",
                                100 * time.roof_us / time.candidate_us));
  }
  parts.push_back(fmt::format("{} to {} in {} pairs", time_text(least),
                              time_text(most), time.pairs.size()));
  return labelled("time", parts);
}

std::string shape_text(const Context& context, const ShapeProfile& shape,
                       const judge::Roofline& roofline) {
  std::string text =
      fmt::format("{} ({}): variant {}\n", bold(context, shape.shape.name),
                  sizes_of(shape.shape), shape.variant);
  std::vector<std::string> work = {amount(shape.work.bytes, "B") + " to move",
                                   amount(shape.work.flops, "FLOP")};
  const std::string roof = roof_text(shape, roofline);
  if (!roof.empty()) work.push_back(roof);
  text += labelled("work", work);
  if (shape.time) text += timing_text(*shape.time);
  text += labelled("code", unit_facts(shape.report));
  if (shape.plan.scratch_bytes() > 0) {
    text += labelled(
        "scratch",
        {memory_text(static_cast<double>(shape.plan.scratch_bytes()))});
  }
  text += to_text(launch_table(shape)) + instruction_mix(shape);
  for (const judge::LaunchProfile& launch : shape.launches) {
    text += profiler_text(launch);
  }
  return text + "\n";
}

}  // namespace

std::string to_text(const Context& context, const KernelProfile& profile) {
  std::string text = fmt::format("{} on {}: {}\n\n", profile.kernel,
                                 profile.device, profile.device_name);
  for (const ShapeProfile& shape : profile.shapes) {
    text += shape_text(context, shape, profile.roofline);
  }
  if (profile.roofline.read_bytes_per_s > 0) {
    text += fmt::format("roofs from {}/s read and {}/s, measured here\n",
                        amount(profile.roofline.read_bytes_per_s, "B"),
                        amount(profile.roofline.flops_per_s, "FLOP"));
  }
  for (const std::string& shape : profile.left_out) {
    text += fmt::format("left out: no variant takes {}\n", shape);
  }
  if (!profile.wrong.empty()) {
    text += fmt::format("{} {}\n", red(context, "WRONG"), profile.wrong);
  }
  if (!profile.not_timed.empty()) {
    text += fmt::format("not timed: {}\n", profile.not_timed);
  }
  if (!profile.not_profiled.empty()) {
    text += fmt::format("no profiler section: {}\n", profile.not_profiled);
  }
  return text;
}

}  // namespace evoke::cli
