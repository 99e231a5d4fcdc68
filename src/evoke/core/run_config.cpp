#include "evoke/core/run_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <limits>

#include "evoke/base/fd.h"
#include "evoke/core/kernel_source.h"
#include "evoke/core/toml_reader.h"

namespace evoke {
namespace {

constexpr int64_t kNoLimit = std::numeric_limits<int64_t>::max();
constexpr double kLargest = std::numeric_limits<double>::max();
constexpr int kMaxWorkers = 4096;
constexpr int kMaxIslands = 1024;
constexpr int kMaxBins = 1024;
constexpr int kMaxPairs = 100'000;
constexpr int kMaxInFlight = 256;

// Seeds above 2^63 do not fit a TOML integer and stand in quotes.
void read_seed(TomlTable& table, uint64_t& seed) {
  const toml::node* node = table.find("rng_seed");
  if (!node) return;
  const auto* text = node->as_string();
  if (!text) {
    int64_t value = 0;
    if (table.read("rng_seed", value, 0, kNoLimit)) {
      seed = static_cast<uint64_t>(value);
    }
    return;
  }
  const std::string& digits = text->get();
  uint64_t value = 0;
  const auto [end, code] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (code != std::errc() || end != digits.data() + digits.size()) {
    return table.fail("rng_seed", "expected an integer from 0 to 2^64 - 1");
  }
  seed = value;
}

void read_budget(const toml::table& section, BudgetConfig& budget,
                 TomlErrors& errors) {
  TomlTable table(section, "budget.", errors);
  table.read("iterations", budget.iterations, 0, kNoLimit);
  table.read("time_s", budget.time_s, 0, kLargest);
  table.read("patience", budget.patience, 0, kNoLimit);
  table.read("target_score", budget.target_score, 0, kLargest);
  table.refuse_unknown_keys();
}

void read_islands(const toml::table& section, IslandConfig& islands,
                  TomlErrors& errors) {
  TomlTable table(section, "islands.", errors);
  table.read("count", islands.count, 1, kMaxIslands);
  table.read("migration_interval", islands.migration_interval, 1);
  table.read("migrants", islands.migrants, 0);
  table.read("stagnation_limit", islands.stagnation_limit, 1);
  table.refuse_unknown_keys();
}

void read_selection(const toml::table& section, SelectionConfig& selection,
                    TomlErrors& errors) {
  TomlTable table(section, "selection.", errors);
  table.read("exploit", selection.exploit, 0, kLargest);
  table.read("explore", selection.explore, 0, kLargest);
  table.read("curiosity", selection.curiosity, 0, kLargest);
  if (!(selection.exploit + selection.explore + selection.curiosity > 0)) {
    table.fail("exploit", "the three shares must not all be 0");
  }
  table.refuse_unknown_keys();
}

void read_timing(const toml::table& section, TimingConfig& timing,
                 TomlErrors& errors) {
  TomlTable table(section, "timing.", errors);
  table.read("search_pairs", timing.search_pairs, 1, kMaxPairs);
  table.read("confirm_pairs", timing.confirm_pairs, 1, kMaxPairs);
  table.read("block_ms", timing.block_ms, 1e-3, 1e5);
  table.read("rotation_bytes", timing.rotation_bytes, 0, kNoLimit);
  table.read("max_probe_change", timing.max_probe_change, 1e-3, 1e3);
  table.refuse_unknown_keys();
}

void read_proposers(const toml::table& section, ProposersConfig& proposers,
                    TomlErrors& errors) {
  TomlTable table(section, "proposers.", errors);
  table.read("inbox_tasks", proposers.inbox_tasks, 1, kMaxInFlight);
  table.read("command", proposers.command);
  table.read("command_timeout_s", proposers.command_timeout_s, 1e-3, kLargest);
  table.read("command_in_flight", proposers.command_in_flight, 1, kMaxInFlight);
  table.read("replay", proposers.replay);
  table.read("usd_per_hour", proposers.usd_per_hour, 1e-6, kLargest);
  table.refuse_unknown_keys();
}

FeatureAxisConfig read_axis(const toml::table& section,
                            const std::string& prefix, TomlErrors& errors) {
  TomlTable table(section, prefix, errors);
  FeatureAxisConfig axis;
  table.require("name");
  table.read("name", axis.name);
  table.read("low", axis.low);
  table.read("high", axis.high);
  table.read("bins", axis.bins, 1, kMaxBins);
  table.read("log_scale", axis.log_scale);
  if (!(axis.low < axis.high)) table.fail("high", "must be greater than low");
  if (axis.log_scale && !(axis.low > 0)) {
    table.fail("low", "must be greater than 0 on a log scale");
  }
  table.refuse_unknown_keys();
  return axis;
}

RunConfig read_document(const toml::table& document, RunConfig config,
                        TomlErrors& errors) {
  TomlTable table(document, "", errors);
  table.read("device", config.device);
  if (const std::string& device = config.device;
      device != "auto" && device != "cpu" && !device.starts_with("cuda:") &&
      device != "cuda" && device != "metal") {
    table.fail("device",
               "expected auto, cpu, cuda, cuda:NUMBER, cuda:UUID, metal, or "
               "several GPUs as cuda:0,cuda:1 or cuda:all");
  }
  table.read("workload", config.workload);
  table.read("held_out", config.held_out);
  table.read("seeds", config.seeds);
  table.read("proposer", config.proposer);
  table.read("workers", config.workers, 0, kMaxWorkers);
  read_seed(table, config.rng_seed);
  if (const auto* section = table.find_table("budget")) {
    read_budget(*section, config.budget, errors);
  }
  if (const auto* section = table.find_table("islands")) {
    read_islands(*section, config.islands, errors);
  }
  if (const auto* section = table.find_table("selection")) {
    read_selection(*section, config.selection, errors);
  }
  if (const auto* section = table.find_table("timing")) {
    read_timing(*section, config.timing, errors);
  }
  if (const auto* section = table.find_table("proposers")) {
    read_proposers(*section, config.proposers, errors);
  }
  const auto axes = table.find_tables("feature");
  if (!axes.empty()) config.features.clear();
  for (std::size_t i = 0; i < axes.size() && !errors.any(); ++i) {
    config.features.push_back(
        read_axis(*axes[i], fmt::format("feature[{}].", i), errors));
  }
  table.refuse_unknown_keys();
  return config;
}

}  // namespace

Result<RunConfig> run_config_from_toml(std::string_view text,
                                       std::string_view path, RunConfig base) {
  TomlErrors errors(path);
  const auto document = parse_toml(text, errors);
  if (document) base = read_document(*document, std::move(base), errors);
  if (errors.any()) return errors.take();
  return base;
}

TimingConfig default_timing(const std::string& device) {
  TimingConfig timing;
  if (kind_of_device(device) == "cuda") {
    timing.search_pairs = 4;
    timing.confirm_pairs = 12;
    timing.block_ms = 0.5;
  }
  return timing;
}

Result<RunConfig> read_run_config(const std::string& path, RunConfig base) {
  const auto text = read_file(path);
  if (!text) return error_of(text);
  return run_config_from_toml(*text, path, std::move(base));
}

std::string to_toml(const RunConfig& config) {
  std::string out;
  auto at = std::back_inserter(out);
  const auto text = [&](std::string_view key, std::string_view value) {
    fmt::format_to(at, "{} = {}\n", key, toml_quoted(value));
  };
  const auto integer = [&](std::string_view key, int64_t value) {
    fmt::format_to(at, "{} = {}\n", key, value);
  };
  const auto number = [&](std::string_view key, double value) {
    fmt::format_to(at, "{} = {}\n", key, toml_number(value));
  };
  text("device", config.device);
  text("workload", config.workload);
  text("held_out", config.held_out);
  out.append("seeds = [");
  for (std::size_t i = 0; i < config.seeds.size(); ++i) {
    fmt::format_to(at, "{}{}", i == 0 ? "" : ", ",
                   toml_quoted(config.seeds[i]));
  }
  out.append("]\n");
  text("proposer", config.proposer);
  integer("workers", config.workers);
  const std::string seed = fmt::format("{}", config.rng_seed);
  const bool fits = config.rng_seed <= static_cast<uint64_t>(kNoLimit);
  fmt::format_to(at, "rng_seed = {}\n", fits ? seed : toml_quoted(seed));

  out.append("\n[budget]\n");
  integer("iterations", config.budget.iterations);
  number("time_s", config.budget.time_s);
  integer("patience", config.budget.patience);
  number("target_score", config.budget.target_score);

  out.append("\n[islands]\n");
  integer("count", config.islands.count);
  integer("migration_interval", config.islands.migration_interval);
  integer("migrants", config.islands.migrants);
  integer("stagnation_limit", config.islands.stagnation_limit);

  out.append("\n[selection]\n");
  number("exploit", config.selection.exploit);
  number("explore", config.selection.explore);
  number("curiosity", config.selection.curiosity);

  out.append("\n[timing]\n");
  integer("search_pairs", config.timing.search_pairs);
  integer("confirm_pairs", config.timing.confirm_pairs);
  number("block_ms", config.timing.block_ms);
  integer("rotation_bytes", config.timing.rotation_bytes);
  number("max_probe_change", config.timing.max_probe_change);

  out.append("\n[proposers]\n");
  integer("inbox_tasks", config.proposers.inbox_tasks);
  text("command", config.proposers.command);
  number("command_timeout_s", config.proposers.command_timeout_s);
  integer("command_in_flight", config.proposers.command_in_flight);
  text("replay", config.proposers.replay);
  number("usd_per_hour", config.proposers.usd_per_hour);

  for (const FeatureAxisConfig& axis : config.features) {
    out.append("\n[[feature]]\n");
    text("name", axis.name);
    number("low", axis.low);
    number("high", axis.high);
    integer("bins", axis.bins);
    fmt::format_to(at, "log_scale = {}\n", axis.log_scale);
  }
  return out;
}

}  // namespace evoke
