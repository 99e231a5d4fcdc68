// A kernel file: a plan in TOML inside the leading comment, then device
// source. Format: docs/kernel-file.md. Parsing checks everything that can be
// known without a shape; core/launch_plan.h resolves the rest.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/base/expression.h"
#include "evoke/core/source_tokens.h"
#include "evoke/core/tensor.h"

namespace evoke {

enum class Dialect { cpu, cuda, metal };  // .cpp .cu .metal
std::string_view to_string(Dialect dialect);
Result<Dialect> dialect_of_path(std::string_view path);
// "cuda:1" -> "cuda".
std::string kind_of_device(const std::string& device);
// Of the kernels that "cpu", "cuda:1", ... runs; `absent`: no such device.
Result<Dialect> dialect_of_device(const std::string& device);
// How the names of its kernel files end: ".cpp", ".cu" or ".metal".
std::string_view file_suffix(Dialect dialect);

// A compile-time constant of the kernel, and a gene of the search.
struct Parameter {
  std::string name;
  int64_t value = 0;
  std::vector<int64_t> choices;  // at least one; contains value
  bool operator==(const Parameter&) const = default;
};

enum class ScratchInit { poison, zero };

struct ScratchTensor {
  std::string name;
  DType type = DType::float32;
  std::vector<Expression> shape;
  ScratchInit init = ScratchInit::poison;
  bool self_reset = false;
  bool operator==(const ScratchTensor&) const = default;
};

struct Derived {  // a per-shape integer, computed by the host
  std::string name;
  Expression value;
  bool operator==(const Derived&) const = default;
};

// How the tensor memory accelerator sees a tensor (cuda): what becomes a
// `const __grid_constant__ CUtensorMap NAME` of the launches that list it.
struct TensorMap {
  std::string name;
  std::string tensor;  // the problem's or scratch
  // Innermost first. Each dimension of the map is a dimension of the tensor
  // (0 is its outermost), or several that lie without gaps, merged. Empty: all
  // of the tensor's, each by itself.
  std::vector<std::vector<int64_t>> order;
  std::vector<Expression> box;              // elements, innermost first
  std::vector<Expression> element_strides;  // as `box`; empty: all 1
  Expression swizzle;                       // bytes: 0, 32, 64 or 128
  Expression l2_promotion;                  // bytes: 0, 64, 128 or 256
  bool operator==(const TensorMap&) const = default;
};

// What a launch of the cuda dialect may say beyond the others.
struct CudaLaunch {
  std::vector<std::string> tensor_maps;
  std::array<Expression, 3> cluster{Expression::constant(1),
                                    Expression::constant(1),
                                    Expression::constant(1)};
  bool nonportable = false;  // clusters of more than 8
  bool cooperative = false;
  bool pdl = false;        // may start before the launch before it has ended
  Expression max_threads;  // of __launch_bounds__; 0: as many as `threads`
  Expression min_blocks;   // per SM, of __launch_bounds__; 0: none
  bool operator==(const CudaLaunch&) const = default;
};

struct Launch {
  std::string kernel;
  std::vector<std::string> reads;
  std::vector<std::string> writes;
  std::array<Expression, 3> threadgroups;
  std::array<Expression, 3> threads;
  Expression dynamic_memory;  // bytes of threadgroup memory
  CudaLaunch cuda;            // as by default in other dialects
  bool operator==(const Launch&) const = default;
};

struct Variant {
  std::string name;
  Expression when;
  std::map<std::string, int64_t> parameters;  // overrides
  std::vector<Launch> launches;
  bool operator==(const Variant&) const = default;
};

struct KernelPlan {
  std::string problem;
  std::string summary;
  std::vector<Parameter> parameters;    // sorted by name
  std::vector<Expression> constraints;  // hold for every variant's parameters
  std::vector<ScratchTensor> scratch;
  std::vector<Derived> derived;
  std::vector<TensorMap> tensor_maps;  // cuda
  std::vector<Variant> variants;
  bool atomics = false;  // results may differ between runs
  bool operator==(const KernelPlan&) const = default;

  const Parameter* find_parameter(std::string_view name) const;
  const TensorMap* find_tensor_map(std::string_view name) const;
};

// Where the keys of a plan stand: "variant[0].launch[1].threads" -> line.
struct PlanLines {
  std::string path;
  std::map<std::string, int, std::less<>> lines;
  // "path:line: key"; the line of the nearest key around it when the key
  // itself has none.
  std::string where(std::string_view key) const;
};

class KernelSource {
 public:
  static constexpr std::size_t kMaxBytes = 1 << 20;
  static constexpr std::string_view kBlockStart = "EVOLVE-BLOCK-START";
  static constexpr std::string_view kBlockEnd = "EVOLVE-BLOCK-END";

  // Errors read "path:line: key: what is wrong; what to do".
  static Result<KernelSource> parse(std::string_view text, Dialect dialect,
                                    std::string_view path);
  static Result<KernelSource> read(const std::string& path);

  Dialect dialect() const { return dialect_; }
  const KernelPlan& plan() const { return plan_; }
  // The normalised text (LF, no trailing blanks): the genome.
  const std::string& text() const { return text_; }
  // Everything after the plan's comment.
  std::string_view code() const {
    return std::string_view(text_).substr(code_offset_);
  }
  int code_line() const { return code_line_; }  // 1-based, of code()'s start
  const std::vector<SourceToken>& tokens() const {
    return *tokens_;
  }  // code()'s
  // Identity of the genome.
  const std::string& hash() const { return hash_; }

  // "path:line: key", for errors about a key of the plan that only show once
  // a shape is known.
  std::string where(std::string_view key) const { return lines_.where(key); }
  const std::string& path() const { return lines_.path; }

  // The same code under another plan, printed in canonical form.
  Result<KernelSource> with_plan(const KernelPlan& plan) const;
  // Whether `other` differs from this one only inside the EVOLVE-BLOCK
  // markers and in the plan (but not in `problem`). The message names the
  // first line that may not change.
  Result<void> check_immutable_text(const KernelSource& other) const;

 private:
  KernelSource() = default;
  Dialect dialect_ = Dialect::cpu;
  KernelPlan plan_;
  std::string text_;
  std::size_t code_offset_ = 0;
  int code_line_ = 1;
  std::string hash_;
  PlanLines lines_;
  std::shared_ptr<const std::vector<SourceToken>> tokens_;  // never null
};

// The plan as canonical TOML, without the comment around it.
std::string format_plan(const KernelPlan& plan);
// The text of a file with this plan and this code.
std::string format_kernel(const KernelPlan& plan, std::string_view code);

// Constructs that no candidate of this dialect may use (includes outside the
// list, inline assembly, thread_local, clocks, ...). The error is one line
// that names line and token.
Result<void> check_forbidden_text(const KernelSource& kernel);

}  // namespace evoke
