#include "evoke/core/launch_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "evoke/base/utf8.h"
#include "evoke/core/device_facts.h"

namespace evoke {
namespace {

constexpr int64_t kMaxSelfResetBytes = 64 * 1024;

std::string described(const Shape& shape) {
  std::string text;
  for (const auto& [name, value] : shape.values) {
    if (!text.empty()) text.append(", ");
    text.append(fmt::format("{} = {}", name, value));
  }
  return fmt::format("shape {} ({})", shape.name, text);
}

// Evaluates one plan at one shape. The first error is kept; functions return
// harmless values after it.
class Resolver {
 public:
  Resolver(const KernelSource& kernel, const ProblemSignature& signature,
           const Shape& shape, const DeviceLimits& limits)
      : kernel_(kernel),
        plan_(kernel.plan()),
        signature_(signature),
        shape_(shape),
        limits_(limits) {}

  Result<LaunchPlan> resolve() {
    if (const auto complete = check_shape(); !complete) {
      return error_of(complete);
    }
    if (!choose_variant()) {
      if (!error_.empty()) return failed(error_);
      return absent(
          fmt::format("{}: no variant takes {}; add one or widen a 'when'",
                      kernel_.path(), described(shape_)));
    }
    add_scalars();
    check_constraints();
    derive();
    resolve_scratch();
    resolve_launches();
    if (!error_.empty()) return failed(error_);
    return std::move(resolved_);
  }

 private:
  const Variant& variant() const { return plan_.variants[resolved_.variant]; }
  std::string key() const {
    return fmt::format("variant[{}]", resolved_.variant);
  }

  void fail(const std::string& where, std::string_view what) {
    if (!error_.empty()) return;
    error_ = one_line(fmt::format("{}: {}; at {}", kernel_.where(where), what,
                                  described(shape_)));
  }

  int64_t evaluate(const Expression& expression, const std::string& where) {
    if (!error_.empty()) return 1;
    const auto value = expression.evaluate(symbols_);
    if (value) return *value;
    fail(where,
         fmt::format("'{}': {}", expression.text(), value.error().message));
    return 1;
  }

  int64_t product(const std::vector<int64_t>& factors, int64_t first,
                  const std::string& where) {
    int64_t total = first;
    for (const int64_t factor : factors) {
      if (__builtin_mul_overflow(total, factor, &total)) {
        fail(where, "the size overflows 64 bits");
        return 1;
      }
    }
    return total;
  }

  Result<void> check_shape() {
    for (const auto* names : {&signature_.constants, &signature_.sizes}) {
      for (const std::string& name : *names) {
        if (!shape_.values.contains(name)) {
          return failed(fmt::format("{} has no {}; the problem {} needs it",
                                    described(shape_), name, signature_.name));
        }
      }
    }
    for (const std::string& name : signature_.scalars) {
      if (!shape_.scalars.contains(name)) {
        return failed(fmt::format("{} has no {}; the problem {} needs it",
                                  described(shape_), name, signature_.name));
      }
    }
    return {};
  }

  // The symbols that `when`, constraints and [derive] start from.
  Symbols symbols_of(const Symbols& constants) const {
    Symbols symbols = device_facts(limits_);
    symbols.insert(constants.begin(), constants.end());
    for (const std::string& name : signature_.sizes) {
      symbols[name] = shape_.values.find(name)->second;
    }
    return symbols;
  }

  Symbols constants_of(const Variant& chosen) const {
    Symbols constants;
    for (const std::string& name : signature_.constants) {
      constants[name] = shape_.values.find(name)->second;
    }
    for (const Parameter& parameter : plan_.parameters) {
      constants[parameter.name] = parameter.value;
    }
    for (const auto& [name, value] : chosen.parameters) constants[name] = value;
    return constants;
  }

  bool choose_variant() {
    for (std::size_t v = 0; v < plan_.variants.size(); ++v) {
      resolved_.variant = v;
      resolved_.constants = constants_of(variant());
      symbols_ = symbols_of(resolved_.constants);
      const int64_t holds = evaluate(variant().when, key() + ".when");
      if (!error_.empty()) return false;
      if (holds != 0) return true;
    }
    return false;
  }

  void add_scalars() {
    for (const std::string& name : signature_.sizes) {
      resolved_.sizes[name] = shape_.values.find(name)->second;
    }
    for (const std::string& name : signature_.scalars) {
      resolved_.scalars[name] = shape_.scalars.at(name);
    }
  }

  void check_constraints() {
    for (std::size_t i = 0; i < plan_.constraints.size(); ++i) {
      const std::string where = fmt::format("parameters.constraints[{}]", i);
      if (evaluate(plan_.constraints[i], where) == 0) {
        fail(where, fmt::format("'{}' does not hold in variant '{}'",
                                plan_.constraints[i].text(), variant().name));
      }
    }
  }

  void derive() {
    for (const Derived& derived : plan_.derived) {
      const std::string where = "derive." + derived.name;
      const int64_t value = evaluate(derived.value, where);
      if (value < std::numeric_limits<int32_t>::min() ||
          value > std::numeric_limits<int32_t>::max()) {
        fail(where, fmt::format("{} does not fit in 32 bits", value));
      }
      symbols_[derived.name] = value;
      resolved_.sizes[derived.name] = value;
    }
  }

  bool uses(const std::string& name) const {
    const auto holds = [&](const std::vector<std::string>& names) {
      return std::find(names.begin(), names.end(), name) != names.end();
    };
    return std::any_of(variant().launches.begin(), variant().launches.end(),
                       [&](const Launch& launch) {
                         return holds(launch.reads) || holds(launch.writes);
                       });
  }

  void resolve_scratch() {
    for (const ScratchTensor& declared : plan_.scratch) {
      if (!uses(declared.name)) continue;
      const std::string where = "scratch." + declared.name;
      ResolvedScratch scratch;
      scratch.name = declared.name;
      scratch.type = declared.type;
      scratch.init = declared.init;
      scratch.self_reset = declared.self_reset;
      for (std::size_t i = 0; i < declared.shape.size(); ++i) {
        const std::string dimension = fmt::format("{}.shape[{}]", where, i);
        const int64_t extent = evaluate(declared.shape[i], dimension);
        if (extent < 1) {
          fail(dimension, fmt::format("'{}' is {}; must be at least 1",
                                      declared.shape[i].text(), extent));
        }
        scratch.shape.push_back(extent);
      }
      scratch.bytes = product(scratch.shape, size_of(declared.type), where);
      if (declared.self_reset && scratch.bytes > kMaxSelfResetBytes) {
        fail(where, fmt::format("{} bytes; self_reset allows at most {}",
                                scratch.bytes, kMaxSelfResetBytes));
      }
      add_scratch_bytes(scratch.bytes, where);
      resolved_.scratch.push_back(std::move(scratch));
    }
  }

  void add_scratch_bytes(int64_t bytes, const std::string& where) {
    if (__builtin_add_overflow(total_scratch_bytes_, bytes,
                               &total_scratch_bytes_) ||
        total_scratch_bytes_ > limits_.max_scratch_bytes) {
      fail(where, fmt::format("scratch needs more than the limit of {} bytes",
                              limits_.max_scratch_bytes));
    }
  }

  TensorRef reference_to(const std::string& name) const {
    for (std::size_t i = 0; i < signature_.tensors.size(); ++i) {
      if (signature_.tensors[i].name == name) return {false, i};
    }
    for (std::size_t i = 0; i < resolved_.scratch.size(); ++i) {
      if (resolved_.scratch[i].name == name) return {true, i};
    }
    return {};
  }

  // Three extents of at least 1 whose product is within `limit`.
  std::array<int64_t, 3> extents(const std::array<Expression, 3>& expressions,
                                 const std::string& where, int64_t limit,
                                 std::string_view what) {
    std::vector<int64_t> values;
    for (std::size_t d = 0; d < expressions.size(); ++d) {
      const std::string dimension = fmt::format("{}[{}]", where, d);
      values.push_back(evaluate(expressions[d], dimension));
      if (values.back() < 1) {
        fail(dimension, fmt::format("'{}' is {}; must be at least 1",
                                    expressions[d].text(), values.back()));
      }
    }
    const int64_t total = product(values, 1, where);
    if (total > limit) {
      fail(where, fmt::format("{} {} exceed the device's limit of {}", total,
                              what, limit));
    }
    return {values[0], values[1], values[2]};
  }

  void resolve_launches() {
    for (std::size_t i = 0; i < variant().launches.size(); ++i) {
      const Launch& launch = variant().launches[i];
      const std::string where = fmt::format("{}.launch[{}]", key(), i);
      ResolvedLaunch out;
      out.kernel = launch.kernel;
      for (const std::string& name : launch.reads) {
        out.reads.push_back(reference_to(name));
      }
      for (const std::string& name : launch.writes) {
        out.writes.push_back(reference_to(name));
      }
      out.threadgroups = extents(launch.threadgroups, where + ".threadgroups",
                                 limits_.max_threadgroups, "threadgroups");
      out.threads = extents(launch.threads, where + ".threads",
                            limits_.max_threads, "threads per threadgroup");
      out.dynamic_memory_bytes =
          evaluate(launch.dynamic_memory, where + ".dynamic_memory");
      if (out.dynamic_memory_bytes < 0 ||
          out.dynamic_memory_bytes > limits_.max_threadgroup_memory) {
        fail(where + ".dynamic_memory",
             fmt::format("{} bytes; must be from 0 to the device's {}",
                         out.dynamic_memory_bytes,
                         limits_.max_threadgroup_memory));
      }
      resolved_.launches.push_back(std::move(out));
    }
  }

  const KernelSource& kernel_;
  const KernelPlan& plan_;
  const ProblemSignature& signature_;
  const Shape& shape_;
  const DeviceLimits& limits_;
  LaunchPlan resolved_;
  Symbols symbols_;
  int64_t total_scratch_bytes_ = 0;
  std::string error_;
};

}  // namespace

int64_t LaunchPlan::scratch_bytes() const {
  return std::accumulate(scratch.begin(), scratch.end(), int64_t{0},
                         [](int64_t sum, const ResolvedScratch& each) {
                           return sum + each.bytes;
                         });
}

Result<LaunchPlan> resolve(const KernelSource& kernel,
                           const ProblemSignature& signature,
                           const Shape& shape, const DeviceLimits& limits) {
  if (const auto checked = check_signature(kernel, signature); !checked) {
    return error_of(checked);
  }
  return Resolver(kernel, signature, shape, limits).resolve();
}

}  // namespace evoke
