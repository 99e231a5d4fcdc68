#include "evoke/devices/metal/assemble.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <set>

#include "evoke/core/source_tokens.h"
#include "evoke/devices/kernel_bodies.h"

namespace evoke::metal {
namespace {

// [[buffer(0)]] to [[buffer(30)]].
constexpr std::size_t kMaxBuffers = 31;

struct Declaration {
  DType type = DType::float32;
  std::size_t rank = 1;
};

class Assembler {
 public:
  Assembler(const KernelSource& kernel, const ProblemSignature& signature,
            const CompileUnit& unit)
      : kernel_(kernel), signature_(signature), unit_(unit) {}

  Result<Assembly> run() {
    if (unit_.variant >= kernel_.plan().variants.size()) {
      return failed(
          fmt::format("{}: no variant {}", kernel_.path(), unit_.variant));
    }
    bodies_ = find_kernel_bodies(kernel_.code());
    read_code();
    for (const auto& check :
         {check_bodies(), check_scratch(), check_launches()}) {
      if (!check) return error_of(check);
    }
    header_ = header();
    Assembly assembly;
    for (const Launch& launch : variant().launches) {
      if (assembly.find(launch.kernel) != nullptr) continue;
      auto assembled = assemble_launch(launch);
      if (!assembled) return error_of(assembled);
      assembly.kernels.push_back(std::move(*assembled));
    }
    return assembly;
  }

 private:
  const Variant& variant() const {
    return kernel_.plan().variants[unit_.variant];
  }
  std::string where(const std::string& key) const {
    return kernel_.where(fmt::format("variant[{}].{}", unit_.variant, key));
  }

  // The identifiers outside of kernels, and the lines on which KERNEL stands
  // inside an #if.
  void read_code() {
    int depth = 0;
    const auto& tokens = kernel_.tokens();
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      const SourceToken& token = tokens[i];
      if (token.text == "#" && token.starts_line && i + 1 < tokens.size()) {
        const std::string& directive = tokens[i + 1].text;
        if (directive.starts_with("if")) ++depth;
        if (directive == "endif") --depth;
      }
      if (token.text == "KERNEL" && !token.in_directive && depth > 0) {
        conditional_lines_.insert(token.line);
      }
    }
    outside_words_ = words_of(blank_other_kernels(kernel_.code(), {}));
  }

  using Words = std::set<std::string, std::less<>>;
  static Words words_of(std::string_view code) {
    Words words;
    for (const SourceToken& token : tokens_of(code, 1)) {
      if (token.kind == SourceToken::Kind::identifier) words.insert(token.text);
    }
    return words;
  }

  const KernelBody* body_of(const std::string& name) const {
    const auto found =
        std::find_if(bodies_.begin(), bodies_.end(),
                     [&](const KernelBody& body) { return body.name == name; });
    return found == bodies_.end() ? nullptr : &*found;
  }

  Result<void> check_bodies() const {
    for (const Launch& launch : variant().launches) {
      const KernelBody* body = body_of(launch.kernel);
      if (body == nullptr) {
        return failed(fmt::format(
            "{}: variant '{}' launches the kernel '{}', which the code does "
            "not have; write KERNEL({}) {{ ... }}",
            kernel_.path(), variant().name, launch.kernel, launch.kernel));
      }
      if (body->end <= body->open) {
        return failed(fmt::format("{}:{}: KERNEL({}) has no body in braces",
                                  kernel_.path(), line_of(*body),
                                  launch.kernel));
      }
    }
    for (const KernelBody& body : bodies_) {
      if (conditional_lines_.contains(line_of(body))) {
        return failed(fmt::format(
            "{}:{}: KERNEL({}) stands inside an #if; in the metal dialect "
            "bodies are cut out of the text, so put the #if into the body",
            kernel_.path(), line_of(body), body.name));
      }
      if (body_of(body.name) != &body) {
        return failed(fmt::format("{}:{}: KERNEL({}) stands there twice",
                                  kernel_.path(), line_of(body), body.name));
      }
    }
    return {};
  }

  // In the file.
  int line_of(const KernelBody& body) const {
    return kernel_.code_line() + body.line - 1;
  }

  Result<void> check_scratch() const {
    for (const ScratchTensor& scratch : kernel_.plan().scratch) {
      if (!scratch.self_reset) continue;
      return failed(fmt::format(
          "{}: MLX gives every launch new buffers, so nothing can be left "
          "reset in them; use init = \"zero\"",
          kernel_.where("scratch." + scratch.name + ".self_reset")));
    }
    return {};
  }

  Result<void> check_launches() const {
    std::set<std::string> written;
    const auto& launches = variant().launches;
    for (std::size_t i = 0; i < launches.size(); ++i) {
      const std::string key = fmt::format("launch[{}]", i);
      if (!(launches[i].dynamic_memory == Expression{}) &&
          launches[i].dynamic_memory != Expression::constant(0)) {
        return failed(fmt::format(
            "{}: metal_kernel has none; declare an array in the body, as in "
            "'threadgroup float tile[tile_kv * D];', with a parameter for its "
            "size",
            where(key + ".dynamic_memory")));
      }
      for (const std::string& name : launches[i].writes) {
        if (written.insert(name).second) continue;
        return failed(fmt::format(
            "{}: '{}' is written by a launch before; MLX gives every launch "
            "new outputs, so write another scratch tensor and read both",
            where(key + ".writes"), name));
      }
    }
    return {};
  }

  // The constants, then the file's text without its kernels.
  std::string header() const {
    std::string text;
    for (const auto& [name, value] : unit_.constants) {
      const bool narrow = value >= std::numeric_limits<int32_t>::min() &&
                          value <= std::numeric_limits<int32_t>::max();
      fmt::format_to(std::back_inserter(text),
                     "constexpr constant {} {} = {};\n",
                     narrow ? "int" : "int64_t", name, value);
    }
    // Line 1 of code() is the rest of the line on which the plan ends.
    fmt::format_to(std::back_inserter(text), "#line {} \"{}\"\n",
                   kernel_.code_line(), kFileLabel);
    text += blank_other_kernels(kernel_.code(), {});
    if (!text.ends_with('\n')) text += '\n';
    return text;
  }

  Declaration declaration(const std::string& name) const {
    for (const TensorDeclaration& tensor : signature_.tensors) {
      if (tensor.name == name) return {tensor.type, tensor.shape.size()};
    }
    for (const ScratchTensor& scratch : kernel_.plan().scratch) {
      if (scratch.name == name) return {scratch.type, scratch.shape.size()};
    }
    return {};
  }

  bool is_zeroed(const std::string& name) const {
    const auto& scratch = kernel_.plan().scratch;
    return std::any_of(scratch.begin(), scratch.end(), [&](const auto& each) {
      return each.name == name && each.init == ScratchInit::zero;
    });
  }

  MlxArray tensor(const std::string& name) const {
    const Declaration declared = declaration(name);
    return {name, element_type_of(declared.type),
            std::vector<int64_t>(declared.rank, MlxArray::kMinDeviceElements)};
  }

  void add_input(AssembledKernel& out, KernelInput::Role role,
                 const std::string& name, MlxArray array) const {
    out.mlx.inputs.push_back(std::move(array));
    out.inputs.push_back({role, name});
  }

  Result<AssembledKernel> assemble_launch(const Launch& launch) const {
    using Role = KernelInput::Role;
    const KernelBody& body = *body_of(launch.kernel);
    AssembledKernel out;
    out.kernel = launch.kernel;
    out.mlx.name = launch.kernel;
    out.mlx.header = header_;
    const std::size_t inside = body.open + 1;
    const std::string_view code = kernel_.code();
    const auto line = kernel_.code_line() +
                      std::count(code.begin(), code.begin() + inside, '\n');
    out.mlx.source = fmt::format("#line {} \"{}\"\n{}", line, kFileLabel,
                                 code.substr(inside, body.end - 1 - inside));
    for (const std::string& name : launch.reads) {
      add_input(out, Role::tensor, name, tensor(name));
    }
    for (const std::string& name : launch.writes) {
      add_layout(out, name);
      out.mlx.outputs.push_back(tensor(name));
      out.outputs.push_back(name);
      out.zero_outputs = out.zero_outputs || is_zeroed(name);
    }
    add_sizes(out);
    out.source = mlx_source(out.mlx);
    const auto buffers =
        out.source.parameters.size() - out.source.attributes.size();
    if (buffers > kMaxBuffers) {
      return failed(fmt::format(
          "{}:{}: KERNEL({}) needs {} buffers, Metal has {}; name fewer "
          "tensors, shapes, strides and derived integers in it",
          kernel_.path(), line_of(body), launch.kernel, buffers, kMaxBuffers));
    }
    return out;
  }

  // As MLX would add them if `name` were an input.
  void add_layout(AssembledKernel& out, const std::string& name) const {
    using Role = KernelInput::Role;
    const auto rank = static_cast<int64_t>(declaration(name).rank);
    const std::string shape = name + "_shape";
    const std::string strides = name + "_strides";
    if (out.mlx.source.find(shape) != std::string::npos) {
      add_input(out, Role::shape_of, name, {shape, ElementType::int32, {rank}});
    }
    if (out.mlx.source.find(strides) != std::string::npos) {
      add_input(out, Role::strides_of, name,
                {strides, ElementType::int64, {rank}});
    }
  }

  void add_sizes(AssembledKernel& out) const {
    using Role = KernelInput::Role;
    // A macro of the header may name them, too.
    const Words words = words_of(out.mlx.source);
    const auto named = [&](const std::string& name) {
      return words.contains(name) || outside_words_.contains(name);
    };
    std::set<std::string> sizes(signature_.sizes.begin(),
                                signature_.sizes.end());
    for (const Derived& derived : kernel_.plan().derived) {
      sizes.insert(derived.name);
    }
    for (const std::string& name : sizes) {
      if (!named(name)) continue;
      add_input(out, Role::size, name, {name, ElementType::int32, {}});
    }
    for (const std::string& name : signature_.scalars) {
      if (!named(name)) continue;
      add_input(out, Role::scalar, name, {name, ElementType::float32, {}});
    }
  }

  const KernelSource& kernel_;
  const ProblemSignature& signature_;
  const CompileUnit& unit_;
  std::vector<KernelBody> bodies_;
  Words outside_words_;
  std::set<int> conditional_lines_;
  std::string header_;
};

}  // namespace

const AssembledKernel* Assembly::find(std::string_view kernel) const {
  const auto found = std::find_if(
      kernels.begin(), kernels.end(),
      [&](const AssembledKernel& each) { return each.kernel == kernel; });
  return found == kernels.end() ? nullptr : &*found;
}

Result<Assembly> assemble(const KernelSource& kernel,
                          const ProblemSignature& signature,
                          const CompileUnit& unit) {
  return Assembler(kernel, signature, unit).run();
}

Result<void> check_call(const KernelSource& kernel, const LaunchPlan& plan) {
  for (const ResolvedScratch& scratch : plan.scratch) {
    int64_t count = 1;
    for (const int64_t extent : scratch.shape) count *= extent;
    if (count >= MlxArray::kMinDeviceElements) continue;
    return failed(fmt::format(
        "{}: {} elements at this shape; MLX passes inputs of fewer than {} in "
        "another address space, so make it larger or exclude the shape in "
        "'when'",
        kernel.where("scratch." + scratch.name), count,
        MlxArray::kMinDeviceElements));
  }
  return {};
}

}  // namespace evoke::metal
