#include "evoke/interchange/foreign_program.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <regex>
#include <set>
#include <span>

#include "evoke/core/reserved_words.h"
#include "evoke/interchange/fit_expression.h"
#include "evoke/interchange/kernel_code.h"
#include "evoke/interchange/module_program.h"
#include "evoke/interchange/packing.h"
#include "evoke/interchange/program_body.h"
#include "evoke/interchange/program_form.h"

namespace evoke {
namespace {

constexpr std::array<std::string_view, 7> kLetters = {"B",  "D",  "Hkv",   "Hq",
                                                      "Lk", "Lq", "causal"};
constexpr std::array<std::string_view, 5> kProblemNames = {
    "query", "key", "value", "output", "scale"};
// Of private arrays whose bound was a sequence length.
constexpr int64_t kLongestArray = 2048;

class Importer {
 public:
  Importer(const ProgramRecord& record, std::string path)
      : record_(record), path_(std::move(path)) {
    taken_.insert(kLetters.begin(), kLetters.end());
    taken_.insert(kProblemNames.begin(), kProblemNames.end());
  }

  Result<KernelSource> run() {
    plan_.problem = "attention";
    plan_.summary = "imported from " + path_.substr(path_.rfind('/') + 1);
    import_samples();
    if (!error_.empty()) return failed(path_ + ": " + error_);
    const std::string code = "// EVOLVE-BLOCK-START\n" + outside_ +
                             join_code({"", bodies_}) + "// EVOLVE-BLOCK-END\n";
    return kernel_file_of(format_plan(plan_), code, path_);
  }

 private:
  void fail(std::string message) {
    if (error_.empty()) error_ = std::move(message);
  }

  std::string free_name(std::string wanted) {
    std::replace_if(
        wanted.begin(), wanted.end(),
        [](unsigned char c) { return std::isalnum(c) == 0 && c != '_'; }, '_');
    if (wanted.empty() || !is_identifier(wanted)) wanted = "k_" + wanted;
    if (wanted.size() > 40) wanted.resize(40);
    std::string name = wanted;
    for (int i = 2; taken_.contains(name) || is_reserved_word(name); ++i) {
      name = wanted + "_" + std::to_string(i);
    }
    taken_.insert(name);
    return name;
  }

  // ---- sizes ---------------------------------------------------------------

  FitOptions fit_options(bool compile_time_only = false) const {
    std::set<int64_t> heads;
    for (const Symbols& each : sizes_) heads.insert(each.at("Hq"));
    return {heads.size() > 1, compile_time_only};
  }

  Expression fit(const std::vector<int64_t>& values, const std::string& what,
                 bool threads = false) {
    FitOptions options = fit_options();
    if (!threads) options.heads_vary = true;
    auto fitted = fit_expression(sizes_, values, options);
    if (!fitted) fail(what + ": " + fitted.error().message);
    return fitted ? *fitted : Expression{};
  }

  template <typename Get>
  std::vector<int64_t> over_samples(std::size_t call, Get get) const {
    std::vector<int64_t> values;
    for (const RecordedSample* each : group_) {
      values.push_back(get(each->calls[call]));
    }
    return values;
  }

  // What stands for an expression in Metal source: itself, or a derived
  // integer.
  std::string in_source(const Expression& expression,
                        const std::string& wanted) {
    const std::string& text = expression.text();
    static const std::regex kSimple("-?[0-9]+|[A-Za-z]+|Hq / Hkv");
    if (std::regex_match(text, kSimple)) return text;
    for (const Derived& each : plan_.derived) {
      if (each.value == expression) return each.name;
    }
    plan_.derived.push_back({free_name(wanted), expression});
    return plan_.derived.back().name;
  }

  // ---- a program with an attention function --------------------------------

  void import_samples() {
    const auto groups = group_samples(record_);
    if (!groups) return fail(groups.error().message);
    int number = 0;
    for (const SampleGroup& group : *groups) {
      group_ = group.samples;
      sizes_.clear();
      for (const RecordedSample* each : group_) sizes_.push_back(each->sizes);
      ++number;
      add_variant(
          groups->size() == 1 ? "imported" : fmt::format("imported_{}", number),
          group.when);
    }
  }

  void add_variant(const std::string& name, std::string when) {
    Variant variant;
    variant.name = name;
    results_.clear();
    bounds_.clear();
    const auto& calls = group_.front()->calls;
    const bool masked =
        std::any_of(calls.begin(), calls.end(), [](const RecordedCall& call) {
          return std::any_of(call.inputs.begin(), call.inputs.end(),
                             [](const RecordedArray& input) {
                               return input.role == "causal_mask";
                             });
        });
    if (!masked && when != "Lq == 1") when = "causal == 1 && (" + when + ")";
    for (std::size_t i = 0; i < calls.size() && error_.empty(); ++i) {
      add_call(variant, i);
    }
    if (!error_.empty()) return;
    add_unpack(variant);
    for (const auto& [letter, parameter] : bounds_) {
      when += fmt::format(" && {} <= {}", letter, parameter);
    }
    if (when.starts_with("1 && ")) when.erase(0, 5);
    variant.when = Expression::parse(when).value_or(Expression::constant(1));
    plan_.variants.push_back(std::move(variant));
  }

  // ---- one call ------------------------------------------------------------

  void add_call(Variant& variant, std::size_t index) {
    const RecordedCall& call = group_.front()->calls[index];
    Launch launch;
    launch.dynamic_memory = Expression{};
    launch.kernel = free_name(call.name);
    Passage passage;
    for (std::size_t i = 0; i < call.inputs.size(); ++i) {
      pass_input(variant, launch, passage, index, i);
    }
    for (std::size_t i = 0; i < call.outputs.size(); ++i) {
      pass_output(launch, passage, index, i);
    }
    std::string source = call.source;
    pass_templates(passage, source, index);
    set_grid(launch, passage, index);
    if (std::find(headers_.begin(), headers_.end(), call.header) ==
        headers_.end()) {
      headers_.push_back(call.header);
      if (!call.header.empty()) outside_ += call.header + "\n";
    }
    bodies_.push_back({launch.kernel, body_text(passage, source)});
    variant.launches.push_back(std::move(launch));
  }

  void pass_input(Variant& variant, Launch& launch, Passage& passage,
                  std::size_t call_index, std::size_t input_index) {
    const RecordedCall& call = group_.front()->calls[call_index];
    const RecordedArray& input = call.inputs[input_index];
    const std::string type = metal_type(input.dtype);
    if (type.empty()) return fail("input '" + input.name + "': " + input.dtype);
    const bool tensor =
        input.role == "query" || input.role == "key" || input.role == "value";
    if (tensor || input.role.starts_with("result ")) {
      std::string name = input.role;
      if (tensor && call.ensure_row_contiguous) {
        name = packed(variant, input.role, input.name);
      } else if (!tensor) {
        const auto known = results_.find(input.role);
        if (known == results_.end()) return fail("an unknown result is read");
        name = known->second;
      }
      if (std::find(launch.reads.begin(), launch.reads.end(), name) ==
          launch.reads.end()) {
        launch.reads.push_back(name);
      }
      return alias(passage, call.source, input.name, name, type, false);
    }
    if (input.role == "causal_mask" || input.role == "full_mask") {
      return pass_mask(passage, input);
    }
    const std::string given = free_name("given_" + input.name);
    if (input.role == "scale") {
      passage.before.push_back(fmt::format("const float {} = scale;", given));
      return pass_values(passage, input, type,
                         {fmt::format("{}({})", type, given)});
    }
    std::vector<std::string> values;
    for (std::size_t k = 0; k < input.values.size(); ++k) {
      values.push_back(value_text(call_index, input_index, k, type));
    }
    pass_values(passage, input, type, values);
  }

  // An element of a small input: the same number always, or a size.
  std::string value_text(std::size_t call_index, std::size_t input_index,
                         std::size_t element, const std::string& type) {
    std::vector<double> seen;
    for (const RecordedSample* each : group_) {
      const auto& values = each->calls[call_index].inputs[input_index].values;
      seen.push_back(element < values.size() ? values[element] : 0.0);
    }
    if (std::all_of(seen.begin(), seen.end(),
                    [&](double x) { return x == seen.front(); })) {
      return fmt::format("{}({})", type, seen.front());
    }
    std::vector<int64_t> integers;
    for (const double value : seen) {
      if (value != static_cast<double>(static_cast<int64_t>(value))) {
        fail("a small input depends on the sizes and is no integer");
      }
      integers.push_back(static_cast<int64_t>(value));
    }
    const RecordedArray& input =
        group_.front()->calls[call_index].inputs[input_index];
    return fmt::format(
        "{}({})", type,
        in_source(fit(integers, "input '" + input.name + "'"), input.name));
  }

  // A mask is a function of row and column: nothing is read for it.
  void pass_mask(Passage& passage, const RecordedArray& input) {
    if (!has_mask_) {
      has_mask_ = true;
      outside_ += kCausalMask;
      taken_.insert("CausalMask");
    }
    passage.inside.push_back(
        fmt::format("const CausalMask {}{{Lq, Lk, {}}};", input.name,
                    input.role == "full_mask" ? "true" : "causal == 0"));
  }

  void pass_output(Launch& launch, Passage& passage, std::size_t call_index,
                   std::size_t output_index) {
    const RecordedCall& call = group_.front()->calls[call_index];
    const RecordedArray& output = call.outputs[output_index];
    const auto type = parse_dtype(output.dtype);
    if (!type) {
      return fail(fmt::format("output '{}' is {}, which scratch cannot be",
                              output.name, output.dtype));
    }
    ScratchTensor scratch;
    scratch.name = free_name(output.name == "output" ? "result" : output.name);
    scratch.type = *type;
    for (std::size_t axis = 0; axis < output.shape.size(); ++axis) {
      scratch.shape.push_back(
          fit(over_samples(call_index,
                           [&](const RecordedCall& each) {
                             return each.outputs[output_index].shape[axis];
                           }),
              "shape of output '" + output.name + "'"));
    }
    if (scratch.shape.empty()) scratch.shape = {Expression::constant(1)};
    if (call.init_value) scratch.init = ScratchInit::zero;
    results_[fmt::format("result {} {}", call_index, output_index)] =
        scratch.name;
    launch.writes.push_back(scratch.name);
    plan_.scratch.push_back(scratch);
    std::string metal = metal_type(output.dtype);
    if (call.atomic_outputs) {
      plan_.atomics = true;
      passage.inside.push_back(
          fmt::format("device atomic<{0}>* {1} = (device atomic<{0}>*){2};",
                      metal, output.name, scratch.name));
      return;
    }
    alias(passage, call.source, output.name, scratch.name, metal, true);
  }

  // ---- template arguments --------------------------------------------------

  void pass_templates(Passage& passage, std::string& source,
                      std::size_t index) {
    const auto& arguments = group_.front()->calls[index].template_arguments;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      const RecordedTemplate& argument = arguments[i];
      if (!argument.dtype.empty()) {
        passage.inside.push_back(fmt::format(
            "typedef {} {};", metal_type(argument.dtype), argument.name));
        continue;
      }
      const auto values = over_samples(index, [&](const RecordedCall& call) {
        return call.template_arguments[i].number;
      });
      const char* type = argument.is_bool ? "bool" : "int";
      auto fixed = fit_expression(sizes_, values, fit_options(true));
      if (!fixed) fixed = fit_expression(sizes_, values, {true, true});
      if (fixed) {
        pass_constant(passage, argument.name, type, *fixed);
        continue;
      }
      const Expression length = fit(values, "template " + argument.name);
      const std::string name = in_source(length, argument.name + "_now");
      if (name != argument.name) {
        passage.inside.push_back(
            fmt::format("const {} {} = {};", type, argument.name, name));
      }
      bound_arrays(source, argument.name, length);
    }
  }

  void pass_constant(Passage& passage, const std::string& name,
                     const char* type, const Expression& value) {
    if (value.text() == name) return;
    const bool number = value.names().empty();
    const Parameter* known = plan_.find_parameter(name);
    if (number && std::string_view(type) == "int") {
      const int64_t integer = value.evaluate({}).value_or(0);
      if (known != nullptr && known->value == integer) return;
      if (known == nullptr && !taken_.contains(name) &&
          !is_reserved_word(name) && is_identifier(name)) {
        taken_.insert(name);
        plan_.parameters.push_back({name, integer, {integer}});
        return;
      }
    }
    passage.inside.push_back(
        fmt::format("constexpr {} {} = {};", type, name, value.text()));
  }

  // "T scores[SEQ_LEN];" needs a constant: a parameter that SEQ_LEN may not
  // exceed.
  void bound_arrays(std::string& source, const std::string& name,
                    const Expression& length) {
    const std::regex declaration(
        "([A-Za-z_]\\w*\\s+[A-Za-z_]\\w*\\s*\\[)"
        "([^\\]\\n]*\\b" +
        name + "\\b[^\\]\\n]*)\\]\\s*;");
    std::smatch match;
    if (!std::regex_search(source, match, declaration)) return;
    if (match[1].str().starts_with("return")) return;
    std::string& parameter = bounds_[length.text()];
    if (parameter.empty()) {
      parameter = free_name(name + "_max");
      plan_.parameters.push_back(
          {parameter, kLongestArray, {512, 1024, kLongestArray, 4096}});
    }
    const std::string bound = std::regex_replace(
        match[2].str(), std::regex("\\b" + name + "\\b"), parameter);
    source = match.prefix().str() + match[1].str() + bound + "];" +
             match.suffix().str();
    bound_arrays(source, name, length);
  }

  // ---- the grid ------------------------------------------------------------

  void set_grid(Launch& launch, Passage& passage, std::size_t index) {
    static constexpr std::array<char, 3> kAxes = {'x', 'y', 'z'};
    for (std::size_t axis = 0; axis < 3; ++axis) {
      const auto grid = over_samples(
          index, [&](const RecordedCall& call) { return call.grid[axis]; });
      const auto threads = over_samples(index, [&](const RecordedCall& call) {
        return call.threadgroup[axis];
      });
      const std::string what = fmt::format("grid.{}", kAxes[axis]);
      launch.threads[axis] = fit(threads, what, /*threads=*/true);
      std::vector<int64_t> groups;
      bool whole = true;
      for (std::size_t i = 0; i < grid.size(); ++i) {
        groups.push_back((grid[i] + threads[i] - 1) / threads[i]);
        whole = whole && grid[i] % threads[i] == 0;
      }
      if (whole && launch.threads[axis] == Expression::constant(1)) {
        launch.threadgroups[axis] = fit(grid, what);
        continue;
      }
      // MLX's last threadgroups are smaller; a plan's are not.
      const Expression total = fit(grid, what);
      const auto quotient = Expression::parse(fmt::format(
          "ceil_div({}, {})", total.text(), launch.threads[axis].text()));
      if (whole) {
        auto simple = fit_expression(sizes_, groups, fit_options());
        launch.threadgroups[axis] = simple ? *simple : quotient.value();
        continue;
      }
      launch.threadgroups[axis] = quotient.value();
      passage.before.push_back(fmt::format(
          "if (thread_position_in_grid.{} >= uint({})) return;", kAxes[axis],
          in_source(total, fmt::format("grid_{}", kAxes[axis]))));
    }
  }

  // ---- packing -------------------------------------------------------------

  // MLX copies inputs that are not contiguous; kernel files have no copies,
  // so they are launches. One for each tensor and variant.
  std::string packed(Variant& variant, const std::string& tensor,
                     const std::string& wanted) {
    std::string& name = packed_[tensor];
    const bool query = tensor == "query";
    if (name.empty()) {
      name = free_name(wanted == tensor ? "packed_" + tensor : wanted);
      ScratchTensor scratch;
      scratch.name = name;
      scratch.type = DType::bfloat16;
      for (const char* letter :
           {"B", query ? "Hq" : "Hkv", query ? "Lq" : "Lk", "D"}) {
        scratch.shape.push_back(Expression::parse(letter).value());
      }
      plan_.scratch.push_back(scratch);
      bodies_.push_back(
          {"pack_" + tensor, copy_text(name, tensor, query, true)});
    }
    const std::string kernel = "pack_" + tensor;
    const bool launched =
        std::any_of(variant.launches.begin(), variant.launches.end(),
                    [&](const Launch& each) { return each.kernel == kernel; });
    if (!launched) {
      variant.launches.push_back(copy_launch(kernel, tensor, name, query));
    }
    return name;
  }

  void add_unpack(Variant& variant) {
    const auto result = results_.find(group_.front()->result);
    if (result == results_.end())
      return fail("what it returns was not written");
    const std::string kernel = free_name("unpack_output");
    bodies_.push_back(
        {kernel, copy_text("output", result->second, true, false)});
    variant.launches.push_back(
        copy_launch(kernel, result->second, "output", true));
  }

  const ProgramRecord& record_;
  std::string path_;
  KernelPlan plan_;
  std::string outside_;
  std::vector<CodeParts::Body> bodies_;
  std::vector<std::string> headers_;
  std::set<std::string, std::less<>> taken_;
  std::map<std::string, std::string> packed_;  // tensor -> scratch
  bool has_mask_ = false;
  // Of the variant at hand.
  std::vector<const RecordedSample*> group_;
  std::vector<Symbols> sizes_;
  std::map<std::string, std::string> results_;  // role -> scratch
  std::map<std::string, std::string> bounds_;   // length -> parameter
  std::string error_;
};

}  // namespace

Result<KernelSource> import_foreign(const ProgramRecord& record,
                                    const std::string& path) {
  if (record.function.empty()) return import_module(record, path);
  return Importer(record, path).run();
}

}  // namespace evoke
