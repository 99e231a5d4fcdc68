#include "evoke/devices/cpu/assemble.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <limits>
#include <set>
#include <vector>

#include "evoke/devices/kernel_bodies.h"

namespace evoke::cpu {
namespace {

// A tensor as a kernel sees it.
struct Argument {
  std::string name;
  DType type = DType::float32;
  std::size_t rank = 0;
  bool written = false;
};

std::string_view c_type(DType type) {
  switch (type) {
    case DType::bfloat16:
      return "bfloat16";
    case DType::float16:
      return "_Float16";
    case DType::float32:
      return "float";
    case DType::int32:
      return "int32_t";
    case DType::uint32:
      return "uint32_t";
  }
  return "void";
}

class Assembler {
 public:
  Assembler(const KernelSource& kernel, const ProblemSignature& signature,
            const CompileUnit& unit)
      : kernel_(kernel), signature_(signature), unit_(unit) {}

  Result<std::string> run() {
    if (unit_.variant >= kernel_.plan().variants.size()) {
      return failed(
          fmt::format("{}: no variant {}", kernel_.path(), unit_.variant));
    }
    collect_launches();
    collect_sizes();
    if (const auto checked = check_bodies(); !checked) {
      return error_of(checked);
    }
    add("namespace evoke_kernel {{\nnamespace {{\n");
    add_constants();
    for (const Launch* launch : launches_) add_signature(*launch);
    add_code();
    add("}}  // namespace\n");
    for (const Launch* launch : launches_) add_entry_point(*launch);
    add("}}  // namespace evoke_kernel\n");
    return std::move(out_);
  }

 private:
  template <typename... Args>
  void add(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(out_), format,
                   std::forward<Args>(args)...);
  }

  const Variant& variant() const {
    return kernel_.plan().variants[unit_.variant];
  }

  // Each kernel once, however often it is launched.
  void collect_launches() {
    for (const Launch& launch : variant().launches) {
      if (wanted_.insert(launch.kernel).second) launches_.push_back(&launch);
    }
  }

  // Sorted: the session passes them in the order of LaunchPlan::sizes.
  void collect_sizes() {
    sizes_.insert(signature_.sizes.begin(), signature_.sizes.end());
    for (const Derived& derived : kernel_.plan().derived) {
      sizes_.insert(derived.name);
    }
    scalars_.insert(signature_.scalars.begin(), signature_.scalars.end());
  }

  Result<void> check_bodies() const {
    const auto bodies = find_kernel_bodies(kernel_.code());
    for (const std::string& name : wanted_) {
      const auto is_it = [&](const KernelBody& body) {
        return body.name == name;
      };
      if (std::any_of(bodies.begin(), bodies.end(), is_it)) continue;
      return failed(fmt::format(
          "{}: variant '{}' launches the kernel '{}', which the code does not "
          "have; write KERNEL({}) {{ ... }}",
          kernel_.path(), variant().name, name, name));
    }
    return {};
  }

  void add_constants() {
    for (const auto& [name, value] : unit_.constants) {
      const bool narrow = value >= std::numeric_limits<int32_t>::min() &&
                          value <= std::numeric_limits<int32_t>::max();
      add("constexpr {} {} = {};\n", narrow ? "int" : "int64_t", name, value);
    }
  }

  std::vector<Argument> arguments_of(const Launch& launch) const {
    std::vector<Argument> arguments;
    for (const std::string& name : launch.reads) {
      arguments.push_back(argument(name, /*written=*/false));
    }
    for (const std::string& name : launch.writes) {
      arguments.push_back(argument(name, /*written=*/true));
    }
    return arguments;
  }

  Argument argument(const std::string& name, bool written) const {
    for (const TensorDeclaration& tensor : signature_.tensors) {
      if (tensor.name == name) {
        return {name, tensor.type, tensor.shape.size(), written};
      }
    }
    for (const ScratchTensor& scratch : kernel_.plan().scratch) {
      if (scratch.name == name) {
        return {name, scratch.type, scratch.shape.size(), written};
      }
    }
    return {name, DType::float32, 0, written};
  }

  // What KERNEL(name) becomes. One line, for it is a macro.
  void add_signature(const Launch& launch) {
    add("#define EVOKE_KERNEL_{0} static inline void evoke_body_{0}(",
        launch.kernel);
    for (const Argument& argument : arguments_of(launch)) {
      add("{}{}* __restrict {}, ", argument.written ? "" : "const ",
          c_type(argument.type), argument.name);
      add("const EvokeExtents<int, {}> {}_shape, ",
          std::max<std::size_t>(argument.rank, 1), argument.name);
      add("const EvokeExtents<int64_t, {}> {}_strides, ",
          std::max<std::size_t>(argument.rank, 1), argument.name);
    }
    for (const std::string& name : sizes_) add("const int {}, ", name);
    for (const std::string& name : scalars_) add("const float {}, ", name);
    add("const uint3 threadgroup_position_in_grid, "
        "const uint3 threadgroups_per_grid, "
        "char* __restrict threadgroup_memory)\n");
  }

  void add_code() {
    // Line 1 of code() is the rest of the line on which the plan ends.
    add("#line {} \"{}\"\n", kernel_.code_line(),
        std::filesystem::path(kernel_.path()).filename().string());
    out_ += blank_other_kernels(kernel_.code(), wanted_);
    add("\n#line 1 \"(generated)\"\n");
  }

  void add_entry_point(const Launch& launch) {
    add("extern \"C\" __attribute__((visibility(\"default\"))) void {}(\n"
        "    const EvokeArguments* evoke_a, uint64_t evoke_begin,\n"
        "    uint64_t evoke_end, char* evoke_memory) {{\n",
        entry_point(launch.kernel));
    add("  const uint3 evoke_grid{{evoke_a->threadgroups[0],\n"
        "      evoke_a->threadgroups[1], evoke_a->threadgroups[2]}};\n"
        "  char* const evoke_aligned = static_cast<char*>(\n"
        "      __builtin_assume_aligned(evoke_memory, 64));\n"
        "  for (uint64_t evoke_i = evoke_begin; evoke_i < evoke_end; "
        "++evoke_i) {{\n"
        "    evoke_body_{}(\n",
        launch.kernel);
    const auto arguments = arguments_of(launch);
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      add("        static_cast<{}{}*>(__builtin_assume_aligned(\n"
          "            evoke_a->tensors[{}].data, 16)),\n"
          "        evoke_a->tensors[{}].shape, evoke_a->tensors[{}].strides,\n",
          arguments[i].written ? "" : "const ", c_type(arguments[i].type), i, i,
          i);
    }
    for (std::size_t i = 0; i < sizes_.size(); ++i) {
      add("        static_cast<int>(evoke_a->sizes[{}]),\n", i);
    }
    for (std::size_t i = 0; i < scalars_.size(); ++i) {
      add("        evoke_a->scalars[{}],\n", i);
    }
    add("        evoke_position(evoke_i, evoke_grid), evoke_grid,\n"
        "        evoke_aligned);\n  }}\n}}\n");
  }

  const KernelSource& kernel_;
  const ProblemSignature& signature_;
  const CompileUnit& unit_;
  std::set<std::string> wanted_;
  std::vector<const Launch*> launches_;
  std::set<std::string> sizes_;
  std::set<std::string> scalars_;
  std::string out_;
};

}  // namespace

std::string entry_point(const std::string& kernel) {
  return "evoke_run_" + kernel;
}

Result<std::string> assemble(const KernelSource& kernel,
                             const ProblemSignature& signature,
                             const CompileUnit& unit) {
  return Assembler(kernel, signature, unit).run();
}

}  // namespace evoke::cpu
