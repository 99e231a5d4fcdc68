#include "evoke/compare/outputs.h"

#include <fmt/format.h>

#include <cmath>

#include "evoke/base/atomic_file.h"
#include "evoke/report/svg.h"
#include "evoke/report/tables.h"

namespace evoke::compare {
namespace {

Json to_json(const Interval& interval) {
  return {{"median", interval.median},
          {"low", interval.low},
          {"high", interval.high}};
}

Json to_json(const SpeedComparison& speed) {
  Json json = {{"baseline_tokens_per_s", to_json(speed.baseline)},
               {"kernel_tokens_per_s", to_json(speed.kernel)}};
  if (!speed.refusal.empty()) {
    json["no_speedup_because"] = speed.refusal;
    return json;
  }
  json["speedup"] = to_json(speed.speedup);
  // Not a number where a single pair says nothing about noise.
  json["minimum_effect"] = std::isfinite(speed.minimum_effect)
                               ? Json(speed.minimum_effect)
                               : Json(nullptr);
  json["verdict"] = to_string(speed.verdict);
  return json;
}

std::string rate_text(const Interval& rate) {
  if (!(rate.median > 0)) return "-";
  return fmt::format("{:.1f} [{:.1f}, {:.1f}]", rate.median, rate.low,
                     rate.high);
}

std::string speedup_cell(const SpeedComparison& speed) {
  if (!speed.refusal.empty()) return "refused";
  return speedup_text(speed.speedup.median, speed.speedup.low,
                      speed.speedup.high);
}

std::string verdict_cell(const SpeedComparison& speed) {
  return speed.refusal.empty() ? std::string(to_string(speed.verdict)) : "-";
}

std::string megabytes(double bytes) {
  return bytes > 0 ? fmt::format("{:.0f}", bytes / 1e6) : "-";
}

TextTable speed_table(const Comparison& comparison, bool of_prompt) {
  const std::string what = of_prompt ? "prompt tokens/s" : "tokens/s";
  TextTable table{{"scenario", "tokens", "baseline " + what}, {}};
  if (comparison.has_kernel) {
    for (const char* column : {"kernel", "speed-up", "verdict"}) {
      table.header.emplace_back(column);
    }
  }
  if (!of_prompt) table.header.emplace_back("attention's bytes");
  for (const ScenarioResult& each : comparison.scenarios) {
    const SpeedComparison& speed = of_prompt ? each.prompt : each.generation;
    const auto tokens =
        of_prompt ? each.prompt_tokens : each.scenario.max_tokens;
    std::vector<std::string> row = {each.scenario.name,
                                    fmt::format("{}", tokens),
                                    rate_text(speed.baseline)};
    if (comparison.has_kernel) {
      row.push_back(rate_text(speed.kernel));
      row.push_back(speedup_cell(speed));
      row.push_back(verdict_cell(speed));
    }
    if (!of_prompt) {
      row.push_back(fmt::format("{:.1f} %", 100 * each.attention_share));
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

TextTable sameness_table(const Comparison& comparison) {
  TextTable table{{"scenario", "same first tokens", "same choice", "mean KL",
                   "max KL", "baseline peak MB", "kernel peak MB"},
                  {}};
  for (const ScenarioResult& each : comparison.scenarios) {
    std::vector<std::string> row = {
        each.scenario.name,
        fmt::format("{} of {}", each.equal_tokens, each.scenario.max_tokens)};
    if (each.agreement.is_object()) {
      row.push_back(fmt::format("{} of {}",
                                each.agreement.value("same_token", int64_t{0}),
                                each.agreement.value("positions", int64_t{0})));
      for (const char* key : {"mean_kl", "max_kl"}) {
        row.push_back(fmt::format("{:.2g}", each.agreement.value(key, NAN)));
      }
    } else {
      row.insert(row.end(), 3, "-");
    }
    row.push_back(megabytes(each.baseline_peak_bytes));
    row.push_back(megabytes(each.kernel_peak_bytes));
    table.rows.push_back(std::move(row));
  }
  return table;
}

std::string overall_text(const Comparison& comparison) {
  if (!comparison.has_kernel) return "The baseline alone: no kernel given.\n";
  const SpeedComparison& overall = comparison.overall;
  if (!overall.refusal.empty()) {
    return "No speed-up is stated: " + overall.refusal + "\n";
  }
  return fmt::format("Generation, geometric mean over {} scenarios: {} ({})\n",
                     comparison.scenarios.size(),
                     speedup_text(overall.speedup.median, overall.speedup.low,
                                  overall.speedup.high),
                     to_string(overall.verdict));
}

// Every reason once, under the scenario and phase it stands for.
std::string refusals_text(const Comparison& comparison) {
  std::string text;
  if (!comparison.has_kernel) return text;
  for (const ScenarioResult& each : comparison.scenarios) {
    for (const auto& [phase, speed] :
         {std::pair{"prompt", &each.prompt},
          std::pair{"generation", &each.generation}}) {
      if (speed->refusal.empty()) continue;
      text += fmt::format("{}, {}: no speed-up: {}\n", each.scenario.name,
                          phase, speed->refusal);
    }
  }
  return text;
}

// What a speed-up against MLX is worth on a CPU.
std::string caveat_text(const Comparison& comparison,
                        const Conditions& conditions) {
  if (!comparison.has_kernel || conditions.device != "cpu") return "";
  return "The baseline is MLX on a CPU, which has no vector code for bfloat16 "
         "attention on x86 Linux: it shows that the kernel works inside the "
         "model, not that it is good. evoke bench races it against strong "
         "implementations.\n";
}

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + "\"";
}

std::string csv_speed(const SpeedComparison& speed) {
  std::string text =
      fmt::format(",{},{},{},{},{},{}", speed.baseline.median,
                  speed.baseline.low, speed.baseline.high, speed.kernel.median,
                  speed.kernel.low, speed.kernel.high);
  if (speed.refusal.empty()) {
    text +=
        fmt::format(",{},{},{},{},", speed.speedup.median, speed.speedup.low,
                    speed.speedup.high, to_string(speed.verdict));
  } else {
    text += ",,,,," + csv_cell(speed.refusal);
  }
  return text;
}

// In a file of its own the picture brings its colours along.
std::string standalone(std::string svg) {
  constexpr const char* kStyle =
      "<style>svg{background:#fff;font:12px system-ui,sans-serif}"
      "text{fill:#5b6470}text.strong{fill:#1b1f24;font-weight:600}"
      ".whisker{stroke:#1b1f24;stroke-width:1.5}"
      ".bar0{fill:#0b6bcb}.bar1{fill:#8a94a0}</style>";
  svg.insert(svg.find('>') + 1, kStyle);
  return svg + "\n";
}

std::string plot(const Comparison& comparison, bool of_prompt) {
  std::vector<BarGroup> groups;
  const auto bar = [](const std::string& label, const Interval& rate,
                      int colour) {
    Bar result;
    result.label = label;
    result.colour = colour;
    if (!(rate.median > 0)) return result;
    result.value = 1e3 / rate.median;
    result.low = 1e3 / rate.high;
    result.high = 1e3 / rate.low;
    result.text = fmt::format("{:.3g} ms", result.value);
    return result;
  };
  for (const ScenarioResult& each : comparison.scenarios) {
    const SpeedComparison& speed = of_prompt ? each.prompt : each.generation;
    BarGroup group{each.scenario.name, {bar("baseline", speed.baseline, 1)}};
    if (comparison.has_kernel) {
      group.bars.push_back(bar("kernel", speed.kernel, 0));
    }
    groups.push_back(std::move(group));
  }
  return standalone(
      bar_plot(groups, of_prompt ? "time per token of the prompt, logarithmic"
                                 : "time per generated token, logarithmic"));
}

}  // namespace

Json to_json(const Comparison& comparison, const Conditions& conditions) {
  Json json = {{"format", "evoke compare results"},
               {"version", 1},
               {"command", conditions.command},
               {"machine", conditions.machine},
               {"started", conditions.started},
               {"model", conditions.model},
               {"dtype", conditions.dtype},
               {"device", conditions.device},
               {"kernel", conditions.kernel},
               {"kernel_hash", conditions.kernel_hash},
               {"gate", conditions.gate},
               {"confidence", kConfidence},
               {"generation_overall", to_json(comparison.overall)},
               {"scenarios", Json::array()}};
  json["generation_overall"].erase("baseline_tokens_per_s");
  json["generation_overall"].erase("kernel_tokens_per_s");
  for (const ScenarioResult& each : comparison.scenarios) {
    json["scenarios"].push_back(
        {{"name", each.scenario.name},
         {"max_tokens", each.scenario.max_tokens},
         {"pairs", each.num_pairs},
         {"prompt_tokens", each.prompt_tokens},
         {"prompt", to_json(each.prompt)},
         {"generation", to_json(each.generation)},
         {"baseline_peak_bytes", each.baseline_peak_bytes},
         {"kernel_peak_bytes", each.kernel_peak_bytes},
         {"mean_context", each.mean_context},
         {"attention_share_of_bytes", each.attention_share},
         {"equal_tokens", each.equal_tokens},
         {"agreement", each.agreement}});
  }
  return json;
}

std::string to_csv(const Comparison& comparison) {
  std::string text =
      "scenario,max_tokens,prompt_tokens,pairs,attention_share_of_bytes,"
      "baseline_peak_bytes,kernel_peak_bytes,equal_tokens";
  for (const char* phase : {"prompt", "generation"}) {
    for (const char* column :
         {"baseline_tps", "baseline_tps_low", "baseline_tps_high", "kernel_tps",
          "kernel_tps_low", "kernel_tps_high", "speedup", "speedup_low",
          "speedup_high", "verdict", "refusal"}) {
      text += fmt::format(",{}_{}", phase, column);
    }
  }
  text += '\n';
  for (const ScenarioResult& each : comparison.scenarios) {
    text += fmt::format(
        "{},{},{},{},{},{},{},{}{}{}\n", each.scenario.name,
        each.scenario.max_tokens, each.prompt_tokens, each.num_pairs,
        each.attention_share, each.baseline_peak_bytes, each.kernel_peak_bytes,
        each.equal_tokens, csv_speed(each.prompt), csv_speed(each.generation));
  }
  return text;
}

std::string to_markdown(const Comparison& comparison,
                        const Conditions& conditions) {
  std::string text = "# End to end\n\n";
  text += overall_text(comparison) + "\n" +
          caveat_text(comparison, conditions) + "\n";
  const auto fact = [&](const char* name, const std::string& value) {
    if (!value.empty()) text += fmt::format("- {}: {}\n", name, value);
  };
  fact("command", "`" + conditions.command + "`");
  fact("machine", conditions.machine);
  fact("started", conditions.started);
  fact("model", conditions.model + ", " + conditions.dtype);
  fact("kernel", conditions.kernel.empty()
                     ? ""
                     : conditions.kernel + " (" + conditions.kernel_hash + ")");
  fact("gate", conditions.gate);
  text += "\n## Generation\n\n" +
          evoke::to_markdown(speed_table(comparison, false)) +
          "\n![time per token](generation.svg)\n\n## Prompt\n\n" +
          evoke::to_markdown(speed_table(comparison, true)) +
          "\n![time per token of the prompt](prompt.svg)\n";
  if (comparison.has_kernel) {
    text += "\n## Same text\n\n" +
            evoke::to_markdown(sameness_table(comparison)) +
            "\nSame first tokens: how many the two sides of a pair begin with "
            "alike, the least of all pairs. Same choice and KL: on one text, "
            "step by step.\n";
  }
  const std::string refusals = refusals_text(comparison);
  if (!refusals.empty()) text += "\n## Refused\n\n" + refusals;
  text += fmt::format(
      "\n## How\n\nMedians of fresh processes with {:.0f} % bootstrap "
      "intervals; speed-ups of pairs run one after the other in random order. "
      "Faster or slower only when the whole interval is beyond what two runs "
      "of the same program differ by. Attention's bytes: the share of the KV "
      "cache in what a decode step moves, at the scenario's mean length; no "
      "kernel can save more than that.\n",
      100 * kConfidence);
  return text;
}

std::string to_text(const Comparison& comparison,
                    const Conditions& conditions) {
  return evoke::to_text(speed_table(comparison, false)) + "\n" +
         evoke::to_text(speed_table(comparison, true)) + "\n" +
         (comparison.has_kernel
              ? evoke::to_text(sameness_table(comparison)) + "\n"
              : "") +
         refusals_text(comparison) + overall_text(comparison) +
         caveat_text(comparison, conditions);
}

Result<std::vector<std::string>> write_outputs(const std::string& folder,
                                               const Comparison& comparison,
                                               const Conditions& conditions) {
  const std::vector<std::pair<std::string, std::string>> files = {
      {"results.json", to_json(comparison, conditions).dump(2) + "\n"},
      {"results.csv", to_csv(comparison)},
      {"results.md", to_markdown(comparison, conditions)},
      {"generation.svg", plot(comparison, false)},
      {"prompt.svg", plot(comparison, true)}};
  std::vector<std::string> names;
  for (const auto& [name, text] : files) {
    auto written = write_file_atomically(folder + "/" + name, text);
    if (!written) return error_of(written);
    names.push_back(name);
  }
  return names;
}

}  // namespace evoke::compare
