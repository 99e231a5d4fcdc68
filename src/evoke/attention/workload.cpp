#include "evoke/attention/workload.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>

#include "evoke/attention/shape.h"
#include "evoke/base/fd.h"
#include "evoke/base/spelling.h"
#include "evoke/core/toml_reader.h"

namespace evoke::attention {
namespace {

constexpr int64_t kMaxSize = int64_t{1} << 24;
constexpr double kMaxWeight = 1e6;

WorkloadShape decode(int64_t kv_len, double weight, int64_t batch = 1) {
  AttentionShape shape;
  shape.B = batch;
  shape.Lk = kv_len;
  return {to_shape(shape), weight};
}

WorkloadShape prefill(int64_t length, double weight, int64_t batch = 1) {
  AttentionShape shape;
  shape.B = batch;
  shape.Lq = shape.Lk = length;
  shape.causal = true;
  return {to_shape(shape), weight};
}

std::vector<Workload> built_in() {
  std::vector<Workload> workloads;
  workloads.push_back(
      {"quick",
       {decode(256, 1), decode(1024, 1), decode(4096, 1), prefill(64, 1)}});
  // Weights: decode has 0.7, shared by the keys read in the 20 end-to-end
  // scenarios (generation lengths 10 to 10,000 after 64 tokens of prompt,
  // every step counted at the nearest length); prefill has 0.3, shared
  // equally, because by work alone it would hardly count. No shape is below
  // 0.02.
  workloads.push_back(
      {"qwen3-0.6b",
       {decode(64, 0.02), decode(256, 0.02), decode(1024, 0.08),
        decode(4096, 0.29), decode(8192, 0.25), decode(16384, 0.02),
        decode(32768, 0.02), prefill(32, 0.0375), prefill(128, 0.0375),
        prefill(512, 0.0375), prefill(1024, 0.0375), prefill(2048, 0.0375),
        prefill(4096, 0.0375), prefill(8192, 0.0375), prefill(16384, 0.0375)}});
  workloads.push_back(
      {"qwen3-0.6b-batched",
       {decode(4096, 1, 8), decode(4096, 1, 32), decode(8192, 1, 64),
        prefill(2048, 1, 8), prefill(512, 1, 32)}});
  return workloads;
}

// The letters of one table over those of `shape`.
struct Letters {
  AttentionShape shape;
  std::optional<bool> causal;
};

void read_letters(TomlTable& table, Letters& letters) {
  AttentionShape& shape = letters.shape;
  table.read("B", shape.B, 1, kMaxSize);
  table.read("Hq", shape.Hq, 1, kMaxSize);
  table.read("Hkv", shape.Hkv, 1, kMaxSize);
  table.read("Lq", shape.Lq, 1, kMaxSize);
  table.read("Lk", shape.Lk, 1, kMaxSize);
  table.read("D", shape.D, 1, kMaxSize);
  bool causal = false;
  if (table.read("causal", causal)) letters.causal = causal;
}

std::optional<WorkloadShape> read_shape(const toml::table& section,
                                        std::size_t index,
                                        const Letters& defaults,
                                        TomlErrors& errors) {
  TomlTable table(section, fmt::format("shape[{}].", index), errors);
  Letters letters = defaults;
  WorkloadShape result;
  std::string name;
  read_letters(table, letters);
  table.read("name", name);
  table.read("weight", result.weight, 0, kMaxWeight);
  table.refuse_unknown_keys();
  if (errors.any()) return std::nullopt;
  letters.shape.causal = letters.causal.value_or(letters.shape.Lq > 1);
  if (const auto checked = check(letters.shape); !checked) {
    errors.add(table.line(), fmt::format("shape[{}]", index),
               checked.error().message);
    return std::nullopt;
  }
  if (!(result.weight > 0)) {
    table.fail("weight", "must be greater than 0");
    return std::nullopt;
  }
  result.shape = to_shape(letters.shape, name);
  return result;
}

}  // namespace

std::vector<std::string> workload_names() {
  std::vector<std::string> names;
  for (const Workload& workload : built_in()) names.push_back(workload.name);
  return names;
}

Result<Workload> parse_workload(std::string_view text, std::string_view path) {
  TomlErrors errors(path);
  const auto document = parse_toml(text, errors);
  if (!document) return errors.take();
  TomlTable table(*document, "", errors);
  Workload workload;
  workload.name = std::filesystem::path(path).stem().string();
  table.read("name", workload.name);
  Letters defaults;
  if (const toml::table* section = table.find_table("defaults")) {
    TomlTable letters(*section, "defaults.", errors);
    read_letters(letters, defaults);
    letters.refuse_unknown_keys();
  }
  std::set<std::string> names;
  std::size_t index = 0;
  for (const toml::table* section : table.find_tables("shape")) {
    const auto shape = read_shape(*section, index, defaults, errors);
    if (!shape) return errors.take();
    if (!names.insert(shape->shape.name).second) {
      errors.add(errors.line_of(*section), fmt::format("shape[{}]", index),
                 fmt::format("a second shape is called '{}'; give it another "
                             "name or remove it",
                             shape->shape.name));
    }
    workload.shapes.push_back(*shape);
    ++index;
  }
  table.refuse_unknown_keys();
  if (workload.shapes.empty()) {
    errors.add(1, "shape", "there is none; add a [[shape]] table");
  }
  if (errors.any()) return errors.take();
  return workload;
}

Result<Workload> find_workload(const std::string& name_or_path) {
  for (Workload& workload : built_in()) {
    if (workload.name == name_or_path) return std::move(workload);
  }
  const auto text = read_file(name_or_path);
  if (text) return parse_workload(*text, name_or_path);
  if (text.error().kind != ErrorKind::absent) return error_of(text);
  const auto names = workload_names();
  return absent(fmt::format("workload '{}': neither a file nor one of {}{}",
                            name_or_path, fmt::join(names, ", "),
                            did_you_mean(name_or_path, names)));
}

}  // namespace evoke::attention
