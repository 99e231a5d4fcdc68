// Whether a plan speaks the language of a problem.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "evoke/base/spelling.h"
#include "evoke/base/utf8.h"
#include "evoke/core/device_facts.h"
#include "evoke/core/launch_plan.h"

namespace evoke {
namespace {

void add_names(std::set<std::string, std::less<>>& names,
               const std::vector<std::string>& more) {
  names.insert(more.begin(), more.end());
}

// Checks every name of a plan against the vocabulary of a problem.
class SignatureChecker {
 public:
  SignatureChecker(const KernelSource& kernel,
                   const ProblemSignature& signature)
      : kernel_(kernel), plan_(kernel.plan()), signature_(signature) {}

  Result<void> check() {
    if (plan_.problem != signature_.name) {
      fail("problem",
           fmt::format("'{}' is not '{}'", plan_.problem, signature_.name));
    }
    check_collisions();
    Names known;
    add_names(known, signature_.constants);
    for (const auto& [name, value] : device_facts({})) known.insert(name);
    for (const Parameter& parameter : plan_.parameters) {
      known.insert(parameter.name);
    }
    for (std::size_t i = 0; i < plan_.constraints.size(); ++i) {
      check_expression(plan_.constraints[i],
                       fmt::format("parameters.constraints[{}]", i), known,
                       " (sizes that change from call to call belong into "
                       "'when')");
    }
    add_names(known, signature_.sizes);
    const Names known_to_when = known;
    for (const Derived& derived : plan_.derived) {
      check_expression(derived.value, "derive." + derived.name, known, "");
      known.insert(derived.name);
    }
    for (const ScratchTensor& scratch : plan_.scratch) {
      for (std::size_t i = 0; i < scratch.shape.size(); ++i) {
        check_expression(scratch.shape[i],
                         fmt::format("scratch.{}.shape[{}]", scratch.name, i),
                         known, "");
      }
    }
    check_tensor_maps(known);
    for (std::size_t v = 0; v < plan_.variants.size(); ++v) {
      const std::string key = fmt::format("variant[{}]", v);
      check_expression(plan_.variants[v].when, key + ".when", known_to_when,
                       "");
      check_launches(plan_.variants[v], key, known);
    }
    if (!error_.empty()) return failed(error_);
    return {};
  }

 private:
  using Names = std::set<std::string, std::less<>>;

  void fail(const std::string& key, std::string_view what) {
    if (error_.empty()) {
      error_ = one_line(fmt::format("{}: {}", kernel_.where(key), what));
    }
  }

  void check_collisions() {
    Names taken;
    add_names(taken, signature_.constants);
    add_names(taken, signature_.sizes);
    add_names(taken, signature_.scalars);
    for (const TensorDeclaration& tensor : signature_.tensors) {
      taken.insert(tensor.name);
    }
    const auto check = [&](const std::string& name, const std::string& key) {
      if (taken.contains(name)) {
        fail(key, fmt::format("the name belongs to the problem {}; choose "
                              "another",
                              signature_.name));
      }
    };
    for (const Parameter& parameter : plan_.parameters) {
      check(parameter.name, "parameters." + parameter.name);
    }
    for (const ScratchTensor& scratch : plan_.scratch) {
      check(scratch.name, "scratch." + scratch.name);
    }
    for (const Derived& derived : plan_.derived) {
      check(derived.name, "derive." + derived.name);
    }
    for (const TensorMap& map : plan_.tensor_maps) {
      check(map.name, "tensor_map." + map.name);
    }
    for (std::size_t v = 0; v < plan_.variants.size(); ++v) {
      const auto& launches = plan_.variants[v].launches;
      for (std::size_t i = 0; i < launches.size(); ++i) {
        check(launches[i].kernel,
              fmt::format("variant[{}].launch[{}].kernel", v, i));
      }
    }
  }

  void check_expression(const Expression& expression, const std::string& key,
                        const Names& known, std::string_view hint) {
    for (const std::string& name : expression.names()) {
      if (known.contains(name)) continue;
      const std::vector<std::string> words(known.begin(), known.end());
      fail(key,
           fmt::format("unknown name '{}' in '{}'{}{}", name, expression.text(),
                       did_you_mean(name, words), hint));
    }
  }

  const TensorDeclaration* find_tensor(std::string_view name) const {
    for (const TensorDeclaration& tensor : signature_.tensors) {
      if (tensor.name == name) return &tensor;
    }
    return nullptr;
  }
  bool is_scratch(std::string_view name) const {
    return std::any_of(plan_.scratch.begin(), plan_.scratch.end(),
                       [&](const auto& each) { return each.name == name; });
  }

  void check_all(const std::vector<Expression>& expressions,
                 const std::string& key, const Names& known) {
    for (std::size_t i = 0; i < expressions.size(); ++i) {
      check_expression(expressions[i], fmt::format("{}[{}]", key, i), known,
                       "");
    }
  }

  void check_tensor_maps(const Names& known) {
    for (const TensorMap& map : plan_.tensor_maps) {
      const std::string key = "tensor_map." + map.name;
      check_tensor(map.tensor, key + ".tensor");
      check_all(map.box, key + ".box", known);
      check_all(map.element_strides, key + ".element_strides", known);
      check_expression(map.swizzle, key + ".swizzle", known, "");
      check_expression(map.l2_promotion, key + ".l2_promotion", known, "");
      check_order(map, key);
    }
  }

  void check_order(const TensorMap& map, const std::string& key) {
    const std::size_t rank = rank_of(map.tensor);
    if (map.order.empty()) {
      if (map.box.size() == rank) return;
      return fail(key + ".box",
                  fmt::format("{} entries; '{}' has {} dimensions (merge some "
                              "with order = [3, 2, [0, 1]])",
                              map.box.size(), map.tensor, rank));
    }
    std::size_t named = 0;
    for (const auto& merged : map.order) {
      named += merged.size();
      for (const int64_t dimension : merged) {
        if (static_cast<std::size_t>(dimension) < rank) continue;
        fail(key + ".order", fmt::format("'{}' has no dimension {}; it has {}",
                                         map.tensor, dimension, rank));
      }
    }
    // A map of a part would need to say which part.
    if (named != rank) {
      fail(key + ".order",
           fmt::format("names {} of the {} dimensions of '{}'; each must "
                       "stand there once",
                       named, rank, map.tensor));
    } else if (map.order.front().back() != static_cast<int64_t>(rank) - 1) {
      fail(key + ".order",
           fmt::format("begins with dimension {}; the innermost is {}, the "
                       "only one whose elements lie side by side",
                       map.order.front().back(), rank - 1));
    }
  }

  std::size_t rank_of(const std::string& name) const {
    if (const TensorDeclaration* tensor = find_tensor(name)) {
      return tensor->shape.size();
    }
    for (const ScratchTensor& scratch : plan_.scratch) {
      if (scratch.name == name) return scratch.shape.size();
    }
    return 0;
  }

  // What a launch compiles into its kernel is known before any shape.
  void check_cuda(const CudaLaunch& cuda, const std::string& prefix,
                  const Names& known) {
    for (std::size_t d = 0; d < cuda.cluster.size(); ++d) {
      check_expression(cuda.cluster[d], fmt::format("{}cluster[{}]", prefix, d),
                       known, "");
    }
    Names constants;
    add_names(constants, signature_.constants);
    for (const Parameter& parameter : plan_.parameters) {
      constants.insert(parameter.name);
    }
    constexpr std::string_view kHint =
        " (it is compiled into the kernel: only compile-time letters and "
        "parameters are known)";
    check_expression(cuda.max_threads, prefix + "max_threads", constants,
                     kHint);
    check_expression(cuda.min_blocks, prefix + "min_blocks", constants, kHint);
  }

  void check_launches(const Variant& variant, const std::string& key,
                      const Names& known) {
    Names written;
    for (std::size_t i = 0; i < variant.launches.size(); ++i) {
      const Launch& launch = variant.launches[i];
      const std::string prefix = fmt::format("{}.launch[{}].", key, i);
      for (const std::string& name : launch.reads) {
        check_tensor(name, prefix + "reads");
        const TensorDeclaration* tensor = find_tensor(name);
        if (tensor && tensor->output && !written.contains(name)) {
          fail(prefix + "reads",
               fmt::format("'{}' is an output that no launch before has "
                           "written",
                           name));
        }
      }
      for (const std::string& name : launch.writes) {
        check_tensor(name, prefix + "writes");
        const TensorDeclaration* tensor = find_tensor(name);
        if (tensor && !tensor->output) {
          fail(prefix + "writes",
               fmt::format("'{}' is an input; inputs are never written", name));
        }
        written.insert(name);
      }
      for (std::size_t d = 0; d < 3; ++d) {
        check_expression(launch.threadgroups[d],
                         fmt::format("{}threadgroups[{}]", prefix, d), known,
                         "");
        check_expression(launch.threads[d],
                         fmt::format("{}threads[{}]", prefix, d), known, "");
      }
      check_expression(launch.dynamic_memory, prefix + "dynamic_memory", known,
                       "");
      check_cuda(launch.cuda, prefix, known);
    }
    for (const TensorDeclaration& tensor : signature_.tensors) {
      if (tensor.output && !written.contains(tensor.name)) {
        fail(key, fmt::format("no launch writes the output '{}'", tensor.name));
      }
    }
  }

  void check_tensor(const std::string& name, const std::string& key) {
    if (find_tensor(name) || is_scratch(name)) return;
    std::vector<std::string> words;
    for (const auto& tensor : signature_.tensors) words.push_back(tensor.name);
    for (const auto& scratch : plan_.scratch) words.push_back(scratch.name);
    fail(key, fmt::format("no tensor '{}'{}", name, did_you_mean(name, words)));
  }

  const KernelSource& kernel_;
  const KernelPlan& plan_;
  const ProblemSignature& signature_;
  std::string error_;
};

}  // namespace

Result<void> check_signature(const KernelSource& kernel,
                             const ProblemSignature& signature) {
  return SignatureChecker(kernel, signature).check();
}

}  // namespace evoke
