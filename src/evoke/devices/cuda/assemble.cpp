#include "evoke/devices/cuda/assemble.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <limits>
#include <set>
#include <utility>
#include <vector>

#include "evoke/core/launch_bounds.h"
#include "evoke/devices/cuda/arguments.h"
#include "evoke/devices/kernel_bodies.h"

namespace evoke::cuda {
namespace {

// A tensor as a kernel sees it.
struct Argument {
  std::string name;
  DType type = DType::float32;
  std::size_t rank = 1;
  bool written = false;
  bool scratch = false;
};

std::string_view c_type(DType type) {
  switch (type) {
    case DType::bfloat16:
      return "bfloat16";
    case DType::float16:
      return "__half";
    case DType::float32:
      return "float";
    case DType::int32:
      return "int";
    case DType::uint32:
      return "unsigned int";
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
    collect();
    if (const auto checked = check_bodies(); !checked) {
      return error_of(checked);
    }
    add("#include \"prelude.h\"\n");
    if (uses(DType::float16)) add("#include <cuda_fp16.h>\n");
    add("#define KERNEL(name) EVOKE_KERNEL_##name\n"
        "#define threadgroup_position_in_grid blockIdx\n"
        "#define threadgroups_per_grid gridDim\n"
        "#define thread_position_in_threadgroup threadIdx\n"
        "#define threads_per_threadgroup blockDim\n"
        "extern __shared__ __align__({}) unsigned char threadgroup_memory[];\n"
        "template <typename T, int N>\nstruct EvokeExtents {{\n"
        "  T values[N];\n"
        "  __device__ __forceinline__ T operator[](int i) const {{\n"
        "    return values[i];\n  }}\n}};\n",
        kSharedAlignment);
    add_constants();
    for (const Launch* launch : launches_) {
      if (auto added = add_signature(*launch); !added) return error_of(added);
    }
    // Line 1 of code() is the rest of the line on which the plan ends.
    add("#line {} \"{}\"\n", kernel_.code_line(),
        std::filesystem::path(kernel_.path()).filename().string());
    out_ += blank_other_kernels(kernel_.code(), wanted_);
    out_ += '\n';
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

  // Each kernel once, however often it is launched. Sizes and scalars sorted:
  // the order in which a LaunchPlan holds them.
  void collect() {
    for (const Launch& launch : variant().launches) {
      if (wanted_.insert(launch.kernel).second) launches_.push_back(&launch);
      if (launch.cuda.pdl) overlapping_.insert(launch.kernel);
    }
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

  bool uses(DType type) const {
    return std::any_of(
        launches_.begin(), launches_.end(), [&](const Launch* launch) {
          const auto arguments = arguments_of(*launch);
          return std::any_of(
              arguments.begin(), arguments.end(),
              [&](const Argument& each) { return each.type == type; });
        });
  }

  void add_constants() {
    for (const auto& [name, value] : unit_.constants) {
      const bool narrow = value >= std::numeric_limits<int>::min() &&
                          value <= std::numeric_limits<int>::max();
      add("constexpr {} {} = {};\n", narrow ? "int" : "long long", name, value);
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
        return {name, tensor.type,
                std::max<std::size_t>(tensor.shape.size(), 1), written, false};
      }
    }
    for (const ScratchTensor& scratch : kernel_.plan().scratch) {
      if (scratch.name == name) {
        return {name, scratch.type,
                std::max<std::size_t>(scratch.shape.size(), 1), written, true};
      }
    }
    return {name, DType::float32, 1, written, false};
  }

  // What KERNEL(name) becomes. One line, for it is a macro.
  Result<void> add_signature(const Launch& launch) {
    auto bounds = launch_bounds(kernel_, unit_, launch.kernel);
    if (!bounds) return error_of(bounds);
    add("#define EVOKE_KERNEL_{} extern \"C\" __global__ void ", launch.kernel);
    if (bounds->max_threads > 0 && bounds->min_blocks > 0) {
      add("__launch_bounds__({}, {}) ", bounds->max_threads,
          bounds->min_blocks);
    } else if (bounds->max_threads > 0) {
      add("__launch_bounds__({}) ", bounds->max_threads);
    }
    add("{}(", entry_point(launch.kernel));
    std::string_view comma;
    const auto next = [&] { return std::exchange(comma, ", "); };
    for (const Argument& argument : arguments_of(launch)) {
      // What a predecessor may still be writing is neither constant nor
      // unaliased for as long as this kernel runs.
      const bool changing =
          argument.scratch && overlapping_.contains(launch.kernel);
      add("{}{}{}* {}{}", next(), argument.written || changing ? "" : "const ",
          c_type(argument.type), changing ? "" : "__restrict__ ",
          argument.name);
      add("{}const EvokeExtents<int, {}> {}_shape", next(), argument.rank,
          argument.name);
      add("{}const EvokeExtents<long long, {}> {}_strides", next(),
          argument.rank, argument.name);
    }
    for (const std::string& name : launch.cuda.tensor_maps) {
      add("{}const __grid_constant__ CUtensorMap {}", next(), name);
    }
    for (const std::string& name : sizes_) add("{}const int {}", next(), name);
    for (const std::string& name : scalars_) {
      add("{}const float {}", next(), name);
    }
    add(")\n");
    return {};
  }

  const KernelSource& kernel_;
  const ProblemSignature& signature_;
  const CompileUnit& unit_;
  std::set<std::string> wanted_;
  std::set<std::string> overlapping_;  // launched with pdl
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

}  // namespace evoke::cuda
