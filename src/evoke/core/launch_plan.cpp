#include "evoke/core/launch_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <limits>
#include <numeric>

#include "evoke/base/utf8.h"
#include "evoke/core/device_facts.h"

namespace evoke {
namespace {

constexpr int64_t kMaxSelfResetBytes = 64 * 1024;
// Of CUDA's launches and tensor maps.
constexpr int64_t kMaxBoxExtent = 256;
constexpr int64_t kMaxPortableCluster = 8;
constexpr int64_t kMaxCluster = 16;
constexpr int64_t kMaxGridYZ = 65535;
constexpr int64_t kMaxThreadsZ = 64;

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
    resolve_tensor_maps();
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

  bool lists(const std::string& map) const {
    return std::any_of(variant().launches.begin(), variant().launches.end(),
                       [&](const Launch& launch) {
                         const auto& names = launch.cuda.tensor_maps;
                         return std::find(names.begin(), names.end(), map) !=
                                names.end();
                       });
  }

  int64_t element_bytes(const TensorRef& tensor) const {
    return size_of(tensor.scratch ? resolved_.scratch[tensor.index].type
                                  : signature_.tensors[tensor.index].type);
  }

  // One of `allowed`, else an error.
  int64_t one_of(const Expression& expression, const std::string& where,
                 std::initializer_list<int64_t> allowed) {
    const int64_t value = evaluate(expression, where);
    if (std::find(allowed.begin(), allowed.end(), value) == allowed.end()) {
      fail(where,
           fmt::format("'{}' is {}; must be one of {}", expression.text(),
                       value, fmt::join(allowed, ", ")));
    }
    return value;
  }

  void resolve_tensor_maps() {
    for (const TensorMap& declared : plan_.tensor_maps) {
      if (!lists(declared.name)) continue;
      const std::string where = "tensor_map." + declared.name;
      ResolvedTensorMap map;
      map.name = declared.name;
      map.tensor = reference_to(declared.tensor);
      map.order = declared.order;
      // Each dimension by itself, innermost first.
      for (auto d = static_cast<int64_t>(declared.box.size());
           declared.order.empty() && d-- > 0;) {
        map.order.push_back({d});
      }
      const int64_t bytes = element_bytes(map.tensor);
      int64_t box_bytes = bytes;
      for (std::size_t i = 0; i < declared.box.size(); ++i) {
        const std::string extent = fmt::format("{}.box[{}]", where, i);
        map.box.push_back(evaluate(declared.box[i], extent));
        if (map.box.back() < 1 || map.box.back() > kMaxBoxExtent) {
          fail(extent, fmt::format("'{}' is {}; must be from 1 to {}",
                                   declared.box[i].text(), map.box.back(),
                                   kMaxBoxExtent));
        }
        box_bytes = product({map.box.back()}, box_bytes, extent);
      }
      if (box_bytes > limits_.max_threadgroup_memory) {
        fail(where + ".box",
             fmt::format("a box has {} bytes; threadgroup memory has {}",
                         box_bytes, limits_.max_threadgroup_memory));
      }
      map.element_strides.assign(map.box.size(), 1);
      for (std::size_t i = 0; i < declared.element_strides.size(); ++i) {
        map.element_strides[i] =
            one_of(declared.element_strides[i],
                   fmt::format("{}.element_strides[{}]", where, i),
                   {1, 2, 3, 4, 5, 6, 7, 8});
      }
      map.swizzle_bytes =
          one_of(declared.swizzle, where + ".swizzle", {0, 32, 64, 128});
      map.l2_promotion_bytes = one_of(
          declared.l2_promotion, where + ".l2_promotion", {0, 64, 128, 256});
      check_inner_extent(map, map.box.front() * bytes, where + ".box[0]");
      resolved_.tensor_maps.push_back(std::move(map));
    }
  }

  void check_inner_extent(const ResolvedTensorMap& map, int64_t bytes,
                          const std::string& where) {
    if (bytes % 16 != 0) {
      fail(where, fmt::format("{} bytes; must be a multiple of 16", bytes));
    }
    if (map.swizzle_bytes > 0 && bytes > map.swizzle_bytes) {
      fail(where, fmt::format("{} bytes; with swizzle = {} at most that many",
                              bytes, map.swizzle_bytes));
    }
  }

  // Limits that all CUDA devices share, and what the launch itself asks for.
  void resolve_cuda(const Launch& launch, const std::string& where,
                    ResolvedLaunch& out) {
    for (const std::string& name : launch.cuda.tensor_maps) {
      const auto found = std::find_if(
          resolved_.tensor_maps.begin(), resolved_.tensor_maps.end(),
          [&](const ResolvedTensorMap& map) { return map.name == name; });
      out.tensor_maps.push_back(
          static_cast<std::size_t>(found - resolved_.tensor_maps.begin()));
    }
    out.nonportable = launch.cuda.nonportable;
    out.cooperative = launch.cuda.cooperative;
    out.pdl = launch.cuda.pdl;
    out.cluster =
        extents(launch.cuda.cluster, where + ".cluster",
                out.nonportable ? kMaxCluster : kMaxPortableCluster,
                "threadgroups of a cluster (nonportable = true allows 16)");
    for (std::size_t d = 0; d < 3; ++d) {
      if (out.threadgroups[d] % out.cluster[d] != 0) {
        fail(fmt::format("{}.threadgroups[{}]", where, d),
             fmt::format("'{}' is {}, no multiple of the cluster's {}",
                         launch.threadgroups[d].text(), out.threadgroups[d],
                         out.cluster[d]));
      }
      if (d > 0 && out.threadgroups[d] > kMaxGridYZ) {
        fail(fmt::format("{}.threadgroups[{}]", where, d),
             fmt::format("{}; only the first dimension may exceed {}",
                         out.threadgroups[d], kMaxGridYZ));
      }
    }
    if (out.threads[2] > kMaxThreadsZ) {
      fail(where + ".threads[2]",
           fmt::format("{}; at most {}", out.threads[2], kMaxThreadsZ));
    }
    const int64_t most =
        evaluate(launch.cuda.max_threads, where + ".max_threads");
    const int64_t threads = out.threads[0] * out.threads[1] * out.threads[2];
    if (most != 0 && threads > most) {
      fail(where + ".threads",
           fmt::format("{} threads exceed max_threads = {}", threads, most));
    }
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
      if (kernel_.dialect() == Dialect::cuda) resolve_cuda(launch, where, out);
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
  return resolve_checked(kernel, signature, shape, limits);
}

Result<LaunchPlan> resolve_checked(const KernelSource& kernel,
                                   const ProblemSignature& signature,
                                   const Shape& shape,
                                   const DeviceLimits& limits) {
  return Resolver(kernel, signature, shape, limits).resolve();
}

}  // namespace evoke
