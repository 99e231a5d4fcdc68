#include "evoke/core/plan_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "evoke/base/utf8.h"
#include "evoke/core/toml_reader.h"

namespace evoke {
namespace {

constexpr std::size_t kMaxPlanBytes = 64 * 1024;
constexpr std::size_t kMaxExpressionBytes = 512;
constexpr std::size_t kMaxEntries = 64;  // of any one list of a plan
constexpr std::size_t kMaxSummaryBytes = 1000;
constexpr int64_t kInt32Min = std::numeric_limits<int32_t>::min();
constexpr int64_t kInt32Max = std::numeric_limits<int32_t>::max();

// Keys of other dialects. They are named here so that the answer is better
// than "unknown key".
struct DialectKey {
  std::string_view key;
  std::string_view dialect;
};
constexpr DialectKey kDialectKeys[] = {
    {"tensor_map", "cuda"},  {"tensor_maps", "cuda"}, {"cluster", "cuda"},
    {"nonportable", "cuda"}, {"cooperative", "cuda"}, {"min_blocks", "cuda"},
    {"max_threads", "cuda"}, {"pdl", "cuda"}};
// Of a tensor map; the hardware's limit.
constexpr std::size_t kMaxMapRank = 5;
constexpr int64_t kMaxRank = 8;

class PlanReader {
 public:
  PlanReader(TomlErrors& errors, Dialect dialect, ParsedPlan& parsed)
      : errors_(errors), dialect_(dialect), parsed_(parsed) {}

  void read(const toml::table& document) {
    KernelPlan& plan = parsed_.plan;
    TomlTable table(document, "", errors_);
    read_text(table, "problem", plan.problem, /*required=*/true);
    read_text(table, "summary", plan.summary, /*required=*/false);
    note(table, "atomics");
    table.read("atomics", plan.atomics);
    if (const auto* found = table.find_table("parameters")) {
      read_parameters(*found);
    }
    if (const auto* found = table.find_table("scratch")) read_scratch(*found);
    if (const auto* found = table.find_table("derive")) read_derived(*found);
    if (dialect_ == Dialect::cuda) {
      if (const auto* found = table.find_table("tensor_map")) {
        read_tensor_maps(*found);
      }
    }
    const auto variants = table.find_tables("variant");
    for (std::size_t i = 0; i < variants.size() && !errors_.any(); ++i) {
      read_variant(*variants[i], fmt::format("variant[{}].", i));
    }
    refuse_others(table);
    if (variants.empty()) {
      errors_.add(1, "variant",
                  "missing; a plan needs at least one [[variant]]");
    }
    if (variants.size() > kMaxEntries) table.fail("variant", too_many());
  }

 private:
  static std::string too_many() {
    return fmt::format("more than {} entries", kMaxEntries);
  }

  // Remembers where a key stands.
  void note(const toml::node& node, const std::string& key) {
    parsed_.lines.lines[key] = errors_.line_of(node);
  }
  void note(TomlTable& table, std::string_view key) {
    if (const toml::node* node = table.find(key))
      note(*node, table.path_of(key));
  }

  void refuse_others(TomlTable& table) {
    for (const auto& [key, node] : table.in_order()) {
      for (const DialectKey& known : kDialectKeys) {
        if (key == known.key && to_string(dialect_) != known.dialect) {
          table.fail(*node, key,
                     fmt::format("belongs to the {} dialect; not supported by "
                                 "the {} dialect",
                                 known.dialect, to_string(dialect_)));
        }
      }
    }
    table.refuse_unknown_keys();
  }

  // One line of text.
  void read_text(TomlTable& table, std::string_view key, std::string& text,
                 bool required) {
    note(table, key);
    if (required && !table.require(key)) return;
    if (!table.read(key, text)) return;
    if (required && text.empty()) table.fail(key, "empty");
    if (text.size() > kMaxSummaryBytes) {
      table.fail(key, fmt::format("longer than {} bytes", kMaxSummaryBytes));
    }
    const bool controls = std::any_of(text.begin(), text.end(), [](char c) {
      return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    });
    if (controls || find_direction_change(text) != text.npos) {
      table.fail(key, "expected one line of plain text");
    }
  }

  // An integer, or an expression in a string.
  Expression read_expression(TomlTable& table, const toml::node& node,
                             const std::string& key) {
    note(node, table.path_of(key));
    if (const auto* integer = node.as_integer()) {
      return Expression::constant(integer->get());
    }
    const auto* text = node.as_string();
    if (!text) {
      table.fail(node, key, "expected an integer or an expression in quotes");
      return {};
    }
    if (text->get().size() > kMaxExpressionBytes) {
      table.fail(node, key,
                 fmt::format("longer than {} bytes; split it with "
                             "[derive]",
                             kMaxExpressionBytes));
      return {};
    }
    auto expression = Expression::parse(text->get());
    if (!expression) {
      table.fail(node, key, expression.error().message);
      return {};
    }
    return *expression;
  }

  std::vector<Expression> read_expressions(TomlTable& table,
                                           const std::string& key,
                                           std::size_t most) {
    std::vector<Expression> expressions;
    const toml::node* node = table.find(key);
    if (!node) return expressions;
    note(*node, table.path_of(key));
    const toml::array* array = node->as_array();
    if (!array) {
      table.fail(key, "expected an array of integers or expressions");
      return expressions;
    }
    if (array->size() > most) {
      table.fail(
          key, fmt::format("at most {} entries, not {}", most, array->size()));
      return expressions;
    }
    for (std::size_t i = 0; i < array->size(); ++i) {
      expressions.push_back(read_expression(table, *array->get(i),
                                            fmt::format("{}[{}]", key, i)));
    }
    return expressions;
  }

  void read_parameters(const toml::table& section) {
    TomlTable table(section, "parameters.", errors_);
    parsed_.plan.constraints =
        read_expressions(table, "constraints", kMaxEntries);
    for (const auto& [name, node] : table.in_order()) {
      if (name == "constraints") continue;
      note(*node, table.path_of(name));
      parsed_.plan.parameters.push_back(read_parameter(table, name, *node));
      if (errors_.any()) return;
    }
    if (parsed_.plan.parameters.size() > kMaxEntries) {
      errors_.add(table.line(), "parameters", too_many());
    }
    std::sort(parsed_.plan.parameters.begin(), parsed_.plan.parameters.end(),
              [](const auto& a, const auto& b) { return a.name < b.name; });
  }

  Parameter read_parameter(TomlTable& parent, const std::string& name,
                           const toml::node& node) {
    Parameter parameter;
    parameter.name = name;
    if (node.is_integer()) {
      parent.read(name, parameter.value, kInt32Min, kInt32Max);
      parameter.choices = {parameter.value};
      return parameter;
    }
    const toml::table* found = node.as_table();
    if (!found) {
      parent.fail(name,
                  "expected { value = N, choices = [N, ...] } or an integer");
      return parameter;
    }
    TomlTable table(*found, parent.path_of(name) + ".", errors_);
    if (table.require("value")) {
      table.read("value", parameter.value, kInt32Min, kInt32Max);
    }
    const toml::node* choices = table.find("choices");
    if (!choices) {
      parameter.choices = {parameter.value};
    } else if (const toml::array* array = choices->as_array()) {
      for (const toml::node& element : *array) {
        const auto* integer = element.as_integer();
        if (!integer || integer->get() < kInt32Min ||
            integer->get() > kInt32Max) {
          table.fail(element, "choices", "expected integers of 32 bits");
          break;
        }
        parameter.choices.push_back(integer->get());
      }
    } else {
      table.fail("choices", "expected an array of integers");
    }
    table.refuse_unknown_keys();
    return parameter;
  }

  void read_scratch(const toml::table& section) {
    TomlTable parent(section, "scratch.", errors_);
    for (const auto& [name, node] : parent.in_order()) {
      note(*node, parent.path_of(name));
      const toml::table* found = node->as_table();
      if (!found) {
        return parent.fail(name,
                           "expected { type = \"float32\", shape = [...] }");
      }
      TomlTable table(*found, parent.path_of(name) + ".", errors_);
      ScratchTensor scratch;
      scratch.name = name;
      std::string word;
      if (table.require("type") && table.read("type", word)) {
        const auto type = parse_dtype(word);
        if (!type) table.fail("type", type.error().message);
        scratch.type = type.value_or(DType::float32);
      }
      table.require("shape");
      scratch.shape = read_expressions(table, "shape", kMaxRank);
      if (scratch.shape.empty()) table.fail("shape", "empty");
      if (table.read("init", word)) {
        if (word != "poison" && word != "zero") {
          table.fail("init", "expected \"poison\" or \"zero\"");
        }
        scratch.init = word == "zero" ? ScratchInit::zero : ScratchInit::poison;
      }
      table.read("self_reset", scratch.self_reset);
      table.refuse_unknown_keys();
      parsed_.plan.scratch.push_back(std::move(scratch));
      if (errors_.any()) return;
    }
    if (parsed_.plan.scratch.size() > kMaxEntries) {
      errors_.add(parent.line(), "scratch", too_many());
    }
  }

  void read_derived(const toml::table& section) {
    TomlTable table(section, "derive.", errors_);
    for (const auto& [name, node] : table.in_order()) {
      parsed_.plan.derived.push_back(
          {name, read_expression(table, *node, name)});
    }
    if (parsed_.plan.derived.size() > kMaxEntries) {
      errors_.add(table.line(), "derive", too_many());
    }
  }

  void read_tensor_maps(const toml::table& section) {
    TomlTable parent(section, "tensor_map.", errors_);
    for (const auto& [name, node] : parent.in_order()) {
      note(*node, parent.path_of(name));
      const toml::table* found = node->as_table();
      if (!found) {
        return parent.fail(name, "expected a table: write [tensor_map.NAME]");
      }
      TomlTable table(*found, parent.path_of(name) + ".", errors_);
      TensorMap map;
      map.name = name;
      read_text(table, "tensor", map.tensor, /*required=*/true);
      read_order(table, map);
      table.require("box");
      map.box = read_expressions(table, "box", kMaxMapRank);
      map.element_strides =
          read_expressions(table, "element_strides", kMaxMapRank);
      if (const toml::node* value = table.find("swizzle")) {
        map.swizzle = read_expression(table, *value, "swizzle");
      }
      if (const toml::node* value = table.find("l2_promotion")) {
        map.l2_promotion = read_expression(table, *value, "l2_promotion");
      }
      table.refuse_unknown_keys();
      parsed_.plan.tensor_maps.push_back(std::move(map));
      if (errors_.any()) return;
    }
    if (parsed_.plan.tensor_maps.size() > kMaxEntries) {
      errors_.add(parent.line(), "tensor_map", too_many());
    }
  }

  // Dimensions of the tensor, innermost first; [0, 1] are two merged.
  void read_order(TomlTable& table, TensorMap& map) {
    const toml::node* node = table.find("order");
    if (!node) return;
    note(*node, table.path_of("order"));
    const toml::array* array = node->as_array();
    if (!array || array->empty() || array->size() > kMaxMapRank) {
      return table.fail("order",
                        fmt::format("expected 1 to {} dimensions of the tensor",
                                    kMaxMapRank));
    }
    const auto is_dimension = [](const toml::node& each) {
      const auto* integer = each.as_integer();
      return integer && integer->get() >= 0 && integer->get() < kMaxRank;
    };
    for (const toml::node& entry : *array) {
      std::vector<int64_t> merged;
      if (const toml::array* several = entry.as_array()) {
        for (const toml::node& each : *several) {
          if (is_dimension(each)) merged.push_back(each.as_integer()->get());
        }
        if (merged.size() != several->size()) merged.clear();
      } else if (is_dimension(entry)) {
        merged.push_back(entry.as_integer()->get());
      }
      if (merged.empty()) {
        return table.fail(entry, "order",
                          "expected dimensions of the tensor, as 3 or [0, 1]");
      }
      map.order.push_back(std::move(merged));
    }
  }

  void read_cuda(TomlTable& table, CudaLaunch& cuda) {
    read_names(table, "tensor_maps", cuda.tensor_maps);
    cuda.cluster = read_extents(table, "cluster", false);
    for (const auto& [key, flag] :
         {std::pair<const char*, bool*>{"nonportable", &cuda.nonportable},
          {"cooperative", &cuda.cooperative},
          {"pdl", &cuda.pdl}}) {
      note(table, key);
      table.read(key, *flag);
    }
    if (const toml::node* node = table.find("max_threads")) {
      cuda.max_threads = read_expression(table, *node, "max_threads");
    }
    if (const toml::node* node = table.find("min_blocks")) {
      cuda.min_blocks = read_expression(table, *node, "min_blocks");
    }
  }

  void read_variant(const toml::table& found, const std::string& prefix) {
    TomlTable table(found, prefix, errors_);
    parsed_.lines.lines[prefix.substr(0, prefix.size() - 1)] = table.line();
    Variant variant;
    read_text(table, "name", variant.name, /*required=*/true);
    variant.when = Expression::constant(1);
    if (const toml::node* when = table.find("when")) {
      variant.when = read_expression(table, *when, "when");
    }
    if (const auto* section = table.find_table("parameters")) {
      TomlTable overrides(*section, prefix + "parameters.", errors_);
      for (const auto& [name, node] : overrides.in_order()) {
        note(*node, overrides.path_of(name));
        overrides.read(name, variant.parameters[name]);
      }
    }
    const auto launches = table.find_tables("launch");
    for (std::size_t i = 0; i < launches.size() && !errors_.any(); ++i) {
      variant.launches.push_back(
          read_launch(*launches[i], fmt::format("{}launch[{}].", prefix, i)));
    }
    refuse_others(table);
    if (launches.empty()) {
      table.fail("launch",
                 "missing; a variant needs at least one "
                 "[[variant.launch]]");
    }
    if (launches.size() > kMaxEntries) table.fail("launch", too_many());
    parsed_.plan.variants.push_back(std::move(variant));
  }

  // Up to three extents; those not given are 1.
  std::array<Expression, 3> read_extents(TomlTable& table,
                                         const std::string& key,
                                         bool required) {
    std::array<Expression, 3> extents;
    extents.fill(Expression::constant(1));
    if (required) table.require(key);
    const auto given = read_expressions(table, key, extents.size());
    if (given.empty() && table.find(key)) table.fail(key, "empty");
    std::copy(given.begin(), given.end(), extents.begin());
    return extents;
  }

  void read_names(TomlTable& table, std::string_view key,
                  std::vector<std::string>& names) {
    note(table, key);
    table.read(key, names);
    if (names.size() > kMaxEntries) table.fail(key, too_many());
  }

  Launch read_launch(const toml::table& found, const std::string& prefix) {
    TomlTable table(found, prefix, errors_);
    parsed_.lines.lines[prefix.substr(0, prefix.size() - 1)] = table.line();
    Launch launch;
    read_text(table, "kernel", launch.kernel, /*required=*/true);
    read_names(table, "reads", launch.reads);
    table.require("writes");
    read_names(table, "writes", launch.writes);
    launch.threadgroups = read_extents(table, "threadgroups", true);
    launch.threads = read_extents(table, "threads", false);
    if (const toml::node* node = table.find("dynamic_memory")) {
      launch.dynamic_memory = read_expression(table, *node, "dynamic_memory");
    }
    if (dialect_ == Dialect::cuda) read_cuda(table, launch.cuda);
    refuse_others(table);
    return launch;
  }

  TomlErrors& errors_;
  Dialect dialect_;
  ParsedPlan& parsed_;
};

}  // namespace

Result<ParsedPlan> parse_plan(std::string_view toml, int first_line,
                              Dialect dialect, std::string_view path) {
  if (toml.size() > kMaxPlanBytes) {
    return failed(fmt::format("{}:{}: the plan has {} bytes; at most {}", path,
                              first_line, toml.size(), kMaxPlanBytes));
  }
  TomlErrors errors(path, first_line);
  const auto document = parse_toml(toml, errors, first_line);
  ParsedPlan parsed;
  parsed.lines.path = std::string(path);
  parsed.lines.lines[""] = first_line;
  if (document) PlanReader(errors, dialect, parsed).read(*document);
  if (errors.any()) return errors.take();
  return parsed;
}

}  // namespace evoke
