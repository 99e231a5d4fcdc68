#include "evoke/interchange/module_program.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include "evoke/core/reserved_words.h"
#include "evoke/interchange/kernel_code.h"
#include "evoke/interchange/program_body.h"

namespace evoke {
namespace {

class ModuleImporter {
 public:
  ModuleImporter(const ProgramRecord& record, std::string path)
      : record_(record), path_(std::move(path)) {}

  Result<KernelSource> run() {
    if (record_.module_calls.empty()) {
      return failed(
          path_ +
          ": no function takes queries, keys and values, and no kernel was "
          "launched while it was loaded; name the function with --function");
    }
    plan_.problem = record_.module_calls.front().name;
    plan_.summary = "imported from " + path_.substr(path_.rfind('/') + 1);
    Variant variant;
    variant.name = "imported";
    variant.when = Expression::constant(1);
    for (std::size_t i = 0; i < record_.module_calls.size(); ++i) {
      variant.launches.push_back(launch(record_.module_calls[i], i));
    }
    plan_.variants.push_back(std::move(variant));
    return kernel_file_of(format_plan(plan_),
                          "// EVOLVE-BLOCK-START\n" + outside_ +
                              join_code({"", bodies_}) +
                              "// EVOLVE-BLOCK-END\n",
                          path_);
  }

 private:
  std::string kernel_name(std::string name) {
    std::replace_if(
        name.begin(), name.end(),
        [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
    if (!is_identifier(name) || is_reserved_word(name)) name = "k_" + name;
    std::string unique = name;
    for (int i = 2; !kernels_.insert(unique).second; ++i) {
      unique = fmt::format("{}_{}", name, i);
    }
    return unique;
  }

  Launch launch(const RecordedCall& call, std::size_t index) {
    Launch launch;
    launch.kernel = kernel_name(call.name);
    Passage passage;
    for (const RecordedArray& input : call.inputs) {
      const auto known = results_.find(input.role);
      const std::string name =
          known == results_.end() ? input.name : known->second;
      launch.reads.push_back(name);
      alias(passage, call.source, input.name, name, metal_type(input.dtype),
            /*written=*/false);
    }
    for (std::size_t i = 0; i < call.outputs.size(); ++i) {
      launch.writes.push_back(call.outputs[i].name);
      results_[fmt::format("result {} {}", index, i)] = call.outputs[i].name;
    }
    plan_.atomics = plan_.atomics || call.atomic_outputs;
    pass_templates(call, passage);
    for (std::size_t axis = 0; axis < 3; ++axis) {
      const int64_t grid = call.grid[axis];
      const int64_t threads = call.threadgroup[axis];
      launch.threads[axis] = Expression::constant(threads);
      launch.threadgroups[axis] =
          Expression::constant((grid + threads - 1) / threads);
      if (grid % threads != 0) {
        passage.before.push_back(
            fmt::format("if (thread_position_in_grid.{} >= {}) return;",
                        "xyz"[axis], grid));
      }
    }
    if (!call.header.empty()) outside_ += call.header + "\n";
    bodies_.push_back({launch.kernel, body_text(passage, call.source)});
    return launch;
  }

  void pass_templates(const RecordedCall& call, Passage& passage) {
    for (const RecordedTemplate& each : call.template_arguments) {
      const Parameter* known = plan_.find_parameter(each.name);
      if (!each.dtype.empty()) {
        passage.inside.push_back(
            fmt::format("typedef {} {};", metal_type(each.dtype), each.name));
      } else if (!each.is_bool && known == nullptr &&
                 !is_reserved_word(each.name)) {
        plan_.parameters.push_back({each.name, each.number, {each.number}});
      } else if (known == nullptr || known->value != each.number) {
        passage.inside.push_back(fmt::format("constexpr {} {} = {};",
                                             each.is_bool ? "bool" : "int",
                                             each.name, each.number));
      }
    }
  }

  const ProgramRecord& record_;
  std::string path_;
  KernelPlan plan_;
  std::string outside_;
  std::vector<CodeParts::Body> bodies_;
  std::set<std::string> kernels_;
  std::map<std::string, std::string> results_;  // role -> tensor
};

}  // namespace

Result<KernelSource> import_module(const ProgramRecord& record,
                                   const std::string& path) {
  return ModuleImporter(record, path).run();
}

}  // namespace evoke
