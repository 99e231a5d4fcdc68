#include "evoke/proposers/llm/prompt_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "evoke/base/utf8.h"

namespace evoke::llm {
namespace {

constexpr std::size_t kLongestSummary = 240;
constexpr std::size_t kLongestMessage = 600;
constexpr std::size_t kMostFeatures = 24;
constexpr std::size_t kMostWrongCases = 6;
constexpr std::size_t kMostLaunches = 6;
constexpr int kReportDepth = 3;  // kernels, one of them, its instructions

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    text += fmt::format("{}{}", text.empty() ? "" : ", ", word);
  }
  return text;
}

// "12.3", "0.0123", "4096", without an exponent where people write none.
std::string number(double value) {
  const double size = std::fabs(value);
  if (value == std::trunc(value) && size < 1e15) {
    return fmt::format("{:.0f}", value);
  }
  return size >= 1e3 ? fmt::format("{:.0f}", value)
                     : fmt::format("{:.3g}", value);
}

// Whether the shape's roof is set by memory or by arithmetic.
std::string_view bound_of(const ShapeFacts& shape, const PromptFacts& facts) {
  if (!(facts.read_bytes_per_s > 0) || !(facts.flops_per_s > 0)) return "";
  return shape.work.bytes / facts.read_bytes_per_s >=
                 shape.work.flops / facts.flops_per_s
             ? "memory"
             : "arithmetic";
}

std::string sizes_of(const Shape& shape) {
  std::string text;
  for (const auto& [name, value] : shape.values) {
    text += fmt::format("{}{}={}", text.empty() ? "" : " ", name, value);
  }
  return text;
}

double weight_of(const std::string& shape, const PromptFacts& facts) {
  for (const ShapeFacts& each : facts.shapes) {
    if (each.shape.name == shape) return each.weight;
  }
  return 0;
}

std::string gain_text(double gain) {
  return gain > 0 ? fmt::format("{:+.1f} %", 100 * (gain - 1)) : "-";
}

// Numbers, words and truth values of a compiler's report, and those of each
// kernel in it.
std::string report_text(const Json& report, int depth = 0) {
  std::string text;
  for (const auto& [name, value] : report.items()) {
    if (name == "variant" || name == "compile_ms" || name == "cached" ||
        name == "diagnostics") {
      continue;
    }
    std::string shown;
    if (value.is_object() && depth < kReportDepth) {
      shown = report_text(value, depth + 1);
      if (shown.empty()) continue;
      text += fmt::format("{}{} ({})", text.empty() ? "" : ", ",
                          one_line(name, 40), shown);
      continue;
    }
    if (value.is_number()) {
      shown = number(value.get<double>());
    } else if (value.is_string()) {
      shown = one_line(value.get<std::string>(), 80);
    } else if (value.is_boolean()) {
      shown = value.get<bool>() ? "yes" : "no";
    } else {
      continue;
    }
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", one_line(name, 40),
                        shown);
  }
  return text;
}

// The list of that name in an outcome's details, or an empty one. What comes
// from a store may be of any form.
const Json& list_of(const Outcome& outcome, const char* name) {
  static const Json none = Json::array();
  if (!outcome.details.is_object()) return none;
  const auto list = outcome.details.find(name);
  return list == outcome.details.end() || !list->is_array() ? none : *list;
}

std::string text_at(const Json& row, const char* name) {
  if (!row.is_object()) return "";
  const auto found = row.find(name);
  return found == row.end() || !found->is_string() ? ""
                                                   : found->get<std::string>();
}

// One launch as a profiler saw it: whatever of it is known.
std::string launch_text(const Json& launch) {
  struct Number {
    const char* name;
    const char* format;
    double scale;
  };
  constexpr Number kNumbers[] = {
      {"compute_percent", "arithmetic {} %", 1},
      {"memory_percent", "memory system {} %", 1},
      {"dram_percent", "DRAM {} %", 1},
      {"occupancy_percent", "achieved occupancy {} %", 1},
      {"dram_read_bytes", "{} MB read from DRAM", 1e-6},
      {"dram_written_bytes", "{} MB written to it", 1e-6},
      {"l2_bytes", "{} MB through L2", 1e-6},
      {"l2_hit_percent", "{} % of it hits", 1}};
  std::string text;
  if (!launch.is_object()) return text;
  for (const Number& each : kNumbers) {
    const auto found = launch.find(each.name);
    if (found == launch.end() || !found->is_number()) continue;
    text += text.empty() ? "" : ", ";
    text +=
        fmt::format(fmt::runtime(each.format),
                    fmt::format("{:.3g}", found->get<double>() * each.scale));
  }
  std::string stalls;
  const auto reasons = launch.find("stalls");
  if (reasons == launch.end() || !reasons->is_array()) return text;
  for (const Json& stall : *reasons) {
    const std::string reason = one_line(text_at(stall, "reason"), 40);
    const Json warps =
        stall.is_object() ? stall.value("warps", Json()) : Json();
    if (reason.empty() || !warps.is_number()) continue;
    stalls += fmt::format("{}{} {:.3g}", stalls.empty() ? "" : ", ", reason,
                          warps.get<double>());
  }
  if (stalls.empty()) return text;
  return text + (text.empty() ? "" : "; ") +
         "warps waiting at each instruction issued: " + stalls;
}

}  // namespace

std::string device_text(const PromptFacts& facts) {
  std::string text;
  auto out = std::back_inserter(text);
  if (!facts.device_name.empty()) {
    fmt::format_to(out, "- {}\n", one_line(facts.device_name, 120));
  }
  if (!facts.device_features.empty()) {
    fmt::format_to(out, "- features: {}\n", joined(facts.device_features));
  }
  const DeviceLimits& limits = facts.limits;
  if (!text.empty()) {
    fmt::format_to(out,
                   "- num_sms = {}, l2_bytes = {}, max_threadgroup_memory = {} "
                   "bytes, at most {} threads per threadgroup\n",
                   limits.num_sms, limits.l2_bytes,
                   limits.max_threadgroup_memory, limits.max_threads);
  }
  if (facts.cache_bytes > 0) {
    fmt::format_to(out, "- last-level cache: {:.3g} MB\n",
                   1e-6 * static_cast<double>(facts.cache_bytes));
  }
  if (facts.read_bytes_per_s > 0) {
    fmt::format_to(out, "- reads from memory: {:.3g} GB/s, measured\n",
                   1e-9 * facts.read_bytes_per_s);
  }
  if (facts.flops_per_s > 0) {
    fmt::format_to(out,
                   "- arithmetic at its quickest: {:.3g} GFLOP/s, "
                   "measured\n",
                   1e-9 * facts.flops_per_s);
  }
  return text;
}

std::string shapes_text(const PromptFacts& facts) {
  if (facts.shapes.empty()) return "";
  std::string text =
      "| shape | sizes | weight | MB to move | MFLOP | roof, us | bound by |\n"
      "|---|---|---|---|---|---|---|\n";
  for (const ShapeFacts& each : facts.shapes) {
    fmt::format_to(
        std::back_inserter(text), "| {} | {} | {:.3g} | {} | {} | {} | {} |\n",
        each.shape.name, sizes_of(each.shape), each.weight,
        number(1e-6 * each.work.bytes), number(1e-6 * each.work.flops),
        each.roof_us > 0 ? number(each.roof_us) : "?", bound_of(each, facts));
  }
  return text;
}

std::string tensors_text(const ProblemSignature& signature) {
  std::vector<std::string> tensors;
  for (const TensorDeclaration& tensor : signature.tensors) {
    tensors.push_back(fmt::format("{} ({}) {}{}", tensor.name,
                                  joined(tensor.shape), to_string(tensor.type),
                                  tensor.output ? ", the output" : ""));
  }
  std::string text;
  for (const std::string& tensor : tensors) {
    text += fmt::format("{}{}", text.empty() ? "" : "; ", tensor);
  }
  return text;
}

std::string origin_text(const Candidate& candidate) {
  std::string text = fmt::format("candidate {}", candidate.id);
  if (candidate.generation == 0 && candidate.parents.empty()) {
    text += ", a seed";
  } else {
    std::vector<std::string> parents;
    for (const CandidateId parent : candidate.parents) {
      parents.push_back(fmt::format("candidate {}", parent));
    }
    if (!candidate.operation.empty()) {
      text += fmt::format(", made by {}", one_line(candidate.operation, 40));
    }
    if (!parents.empty()) text += " from " + joined(parents);
  }
  const std::string summary = one_line(candidate.summary, kLongestSummary);
  if (!summary.empty()) text += ": " + summary;
  return text;
}

std::string measurements_text(const Outcome& outcome,
                              const PromptFacts& facts) {
  if (!outcome.measurements || outcome.measurements->shapes.empty()) {
    return fmt::format("not timed ({} at the {} stage): {}\n",
                       to_string(outcome.kind), to_string(outcome.stage),
                       one_line(outcome.message, kLongestMessage));
  }
  const auto& shapes = outcome.measurements->shapes;
  const std::string& baseline = shapes.front().baseline;
  std::string text;
  auto out = std::back_inserter(text);
  if (outcome.fitness) {
    fmt::format_to(out, "fitness {:.3f} ({:.3f} to {:.3f}) against {}{}\n\n",
                   outcome.fitness->value, outcome.fitness->low,
                   outcome.fitness->high, one_line(baseline, 60),
                   outcome.kind == OutcomeKind::confirmed ? ", confirmed" : "");
  }
  text +=
      "| shape | weight | time, us | speed-up (interval) | verdict | of the "
      "roof |\n|---|---|---|---|---|---|\n";
  for (const ShapeMeasurement& shape : shapes) {
    if (shape.baseline != baseline || shape.cache_state != CacheState::cold) {
      continue;
    }
    const double weight = weight_of(shape.shape, facts);
    fmt::format_to(
        out, "| {} | {:.3g} | {} | {:.3f} ({:.3f} to {:.3f}) | {} | {} |\n",
        one_line(shape.shape, 60), weight > 0 ? weight : shape.weight,
        number(shape.candidate_us), shape.speedup, shape.speedup_low,
        shape.speedup_high,
        shape.same_code ? "same code" : to_string(shape.verdict),
        shape.roof_us > 0 && shape.candidate_us > 0
            ? fmt::format("{:.0f} %", 100 * shape.roof_us / shape.candidate_us)
            : "?");
  }
  std::string features;
  std::size_t shown = 0;
  for (const auto& [name, value] : outcome.measurements->features) {
    if (++shown > kMostFeatures) break;
    features += fmt::format("{}{} {}", features.empty() ? "" : ", ",
                            one_line(name, 40), number(value));
  }
  if (!features.empty()) fmt::format_to(out, "\nfeatures: {}\n", features);
  return text;
}

std::string compiler_text(const Outcome& outcome,
                          const std::vector<std::string>& names) {
  std::string text;
  for (const Json& unit : list_of(outcome, "units")) {
    if (!unit.is_object()) continue;
    const auto variant = unit.value("variant", Json());
    const auto index =
        variant.is_number_integer() ? variant.get<int64_t>() : -1;
    const std::string name =
        index >= 0 && index < static_cast<int64_t>(names.size())
            ? "variant " + names[static_cast<std::size_t>(index)]
            : "a variant";
    const std::string report = report_text(unit);
    if (report.empty()) continue;
    const std::string line = fmt::format("{}: {}\n", name, report);
    // Units of shapes that differ in nothing the compiler reports.
    if (text.find(line) == text.npos) text += line;
  }
  return text;
}

std::string profile_text(const Outcome& outcome) {
  std::string text;
  std::size_t lines = 0;
  for (const Json& shape : list_of(outcome, "profile")) {
    const auto launches = shape.find("launches");
    if (launches == shape.end() || !launches->is_array()) continue;
    for (const Json& launch : *launches) {
      const std::string seen = launch_text(launch);
      if (seen.empty() || lines == kMostLaunches) continue;
      text += fmt::format(
          "{}- {}, {}: {}\n",
          lines++ == 0 ? "seen by the profiler, in percent of what the device "
                         "can sustain:\n"
                       : "",
          one_line(text_at(shape, "shape"), 60),
          one_line(text_at(launch, "kernel"), 40), seen);
    }
  }
  return text;
}

std::string failure_text(const Outcome& outcome) {
  std::string text =
      fmt::format("{} at the {} stage: {}\n", to_string(outcome.kind),
                  to_string(outcome.stage), outcome.message);
  for (const Json& unit : list_of(outcome, "units")) {
    const std::string said = text_at(unit, "diagnostics");
    if (said.empty()) continue;
    text += said + "\n";
    break;
  }
  std::size_t right = 0;
  std::size_t wrong = 0;
  std::string rows;
  std::string notes;
  for (const Json& row : list_of(outcome, "gate")) {
    if (row.is_object() && row.contains("notes") && row["notes"].is_array()) {
      for (const Json& note : row["notes"]) {
        if (notes.empty() && note.is_string()) {
          notes = fmt::format(
              "note: {}\n", one_line(note.get<std::string>(), kLongestMessage));
        }
      }
    }
    if (row.is_object() && row.contains("right") && row["right"] == true) {
      ++right;
    } else if (++wrong <= kMostWrongCases) {
      rows += fmt::format("wrong: {}: {}\n", text_at(row, "case"),
                          text_at(row, "message"));
    }
  }
  if (right + wrong > 0) {
    text += fmt::format(
        "cases that were right: {}, wrong: {} (ratios are error / limit)\n{}",
        right, wrong, rows);
  }
  return text + notes;
}

std::string tried_text(const TriedIdea& idea) {
  std::string text = fmt::format("- candidate {}", idea.candidate);
  if (idea.parent != 0) text += fmt::format(" from {}", idea.parent);
  if (!idea.operation.empty()) {
    text += fmt::format(", {}", one_line(idea.operation, 40));
  }
  if (!idea.strategies.empty()) {
    text += fmt::format(" [{}]", one_line(joined(idea.strategies), 120));
  }
  const std::string summary = one_line(idea.summary, kLongestSummary);
  if (!summary.empty()) text += ": " + summary;
  if (idea.gain > 0) {
    text += fmt::format(" -> {} against its parent\n", gain_text(idea.gain));
  } else {
    text += fmt::format(" -> {}\n", to_string(idea.kind));
  }
  return text;
}

std::string strategies_text(const std::vector<StrategyRecord>& records,
                            std::size_t most) {
  if (records.empty()) return "";
  std::string text =
      "| strategy | tried | better than the parent | never measured | best "
      "|\n|---|---|---|---|---|\n";
  for (std::size_t i = 0; i < std::min(records.size(), most); ++i) {
    const StrategyRecord& record = records[i];
    text += fmt::format("| {} | {} | {} | {} | {} |\n",
                        one_line(record.strategy, 40), record.tried,
                        record.improved, record.failed,
                        gain_text(record.best_gain));
  }
  return text;
}

}  // namespace evoke::llm
