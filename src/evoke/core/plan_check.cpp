// What must hold of a plan by itself, before any problem or shape is known.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "evoke/base/spelling.h"
#include "evoke/base/utf8.h"
#include "evoke/core/device_facts.h"
#include "evoke/core/plan_parser.h"
#include "evoke/core/reserved_words.h"

namespace evoke {
namespace {

constexpr std::size_t kMaxNameBytes = 48;

// The run-time length that grows with every token. A variant for one value of
// it would be a kernel for a benchmark.
constexpr std::string_view kLengthLetter = "Lk";

std::string what_is_wrong_with_name(std::string_view name) {
  if (!is_identifier(name)) {
    return "expected a C identifier: letters, digits and _";
  }
  if (name.size() > kMaxNameBytes) {
    return fmt::format("longer than {} letters", kMaxNameBytes);
  }
  const bool reserved = is_reserved_word(name) ||
                        is_expression_function(name) ||
                        device_facts({}).contains(name);
  if (reserved) return "a reserved word; choose another name";
  if (name.starts_with("_") || name.find("__") != name.npos ||
      name.starts_with("evoke") || name.starts_with("EVOKE")) {
    return "names with '__', a leading '_' or 'evoke' are the host's";
  }
  if (name.ends_with("_shape") || name.ends_with("_strides")) {
    return "names ending in _shape and _strides are made by the host";
  }
  return {};
}

bool is_compiled_alike(const CudaLaunch& a, const CudaLaunch& b) {
  return a.tensor_maps == b.tensor_maps && a.max_threads == b.max_threads &&
         a.min_blocks == b.min_blocks;
}

class PlanChecker {
 public:
  PlanChecker(const KernelPlan& plan, const PlanLines& lines)
      : plan_(plan), lines_(lines) {}

  Result<void> check() {
    check_parameters();
    check_scratch();
    for (const Derived& derived : plan_.derived) {
      declare(derived.name, "derive." + derived.name);
    }
    check_tensor_maps();
    if (plan_.variants.empty()) fail("variant", "a plan needs at least one");
    std::set<std::string> names;
    for (std::size_t i = 0; i < plan_.variants.size(); ++i) {
      const std::string key = fmt::format("variant[{}]", i);
      if (!names.insert(plan_.variants[i].name).second) {
        fail(key + ".name", fmt::format("two variants are called '{}'",
                                        plan_.variants[i].name));
      }
      check_variant(plan_.variants[i], key);
    }
    if (!error_.empty()) return failed(error_);
    return {};
  }

 private:
  void fail(std::string_view key, std::string_view what) {
    if (error_.empty())
      error_ = one_line(fmt::format("{}: {}", lines_.where(key), what));
  }

  // One name space for everything that appears in code as an identifier.
  void declare(const std::string& name, const std::string& key) {
    const std::string wrong = what_is_wrong_with_name(name);
    if (!wrong.empty()) fail(key, wrong);
    const auto [found, added] = declared_.emplace(name, key);
    if (!added) {
      fail(key, fmt::format("the name is taken by {}", found->second));
    }
  }

  void check_parameters() {
    for (const Parameter& parameter : plan_.parameters) {
      const std::string key = "parameters." + parameter.name;
      declare(parameter.name, key);
      const auto& choices = parameter.choices;
      if (choices.empty()) fail(key, "choices is empty");
      if (std::set<int64_t>(choices.begin(), choices.end()).size() !=
          choices.size()) {
        fail(key, "choices holds a value twice");
      }
      if (std::find(choices.begin(), choices.end(), parameter.value) ==
          choices.end()) {
        fail(key, fmt::format("value {} is not among choices [{}]",
                              parameter.value, fmt::join(choices, ", ")));
      }
    }
  }

  void check_scratch() {
    for (const ScratchTensor& scratch : plan_.scratch) {
      const std::string key = "scratch." + scratch.name;
      declare(scratch.name, key);
      if (!scratch.self_reset) continue;
      if (scratch.type != DType::int32 && scratch.type != DType::uint32) {
        fail(key, "self_reset is for integers: counters and tickets");
      }
      if (scratch.init != ScratchInit::zero) {
        fail(key, "self_reset needs init = \"zero\"");
      }
    }
  }

  void check_tensor_maps() {
    for (const TensorMap& map : plan_.tensor_maps) {
      const std::string key = "tensor_map." + map.name;
      declare(map.name, key);
      if (!map.order.empty() && map.box.size() != map.order.size()) {
        fail(key + ".box", fmt::format("{} entries for {} dimensions in order",
                                       map.box.size(), map.order.size()));
      }
      if (!map.element_strides.empty() &&
          map.element_strides.size() != map.box.size()) {
        fail(key + ".element_strides",
             fmt::format("{} entries for {} in box", map.element_strides.size(),
                         map.box.size()));
      }
      std::set<int64_t> seen;
      for (const auto& merged : map.order) {
        for (const int64_t dimension : merged) {
          if (!seen.insert(dimension).second) {
            fail(key + ".order",
                 fmt::format("dimension {} stands there twice", dimension));
          }
        }
        if (!std::is_sorted(merged.begin(), merged.end())) {
          fail(key + ".order",
               "merged dimensions stand outermost first, as in [0, 1]");
        }
      }
    }
  }

  void check_cuda(const CudaLaunch& cuda, std::size_t index,
                  const Launch& launch, const std::string& key) {
    if (cuda.pdl && index == 0) {
      fail(key + ".pdl",
           "a variant's first launch waits for the call before it; pdl is for "
           "later ones");
    }
    if (cuda.pdl && cuda.cooperative) {
      fail(key + ".pdl", "not together with cooperative");
    }
    std::set<std::string> seen;
    for (const std::string& name : cuda.tensor_maps) {
      const TensorMap* map = plan_.find_tensor_map(name);
      if (!map) {
        std::vector<std::string> known;
        for (const TensorMap& each : plan_.tensor_maps) {
          known.push_back(each.name);
        }
        fail(key + ".tensor_maps", fmt::format("no [tensor_map.{}]{}", name,
                                               did_you_mean(name, known)));
        continue;
      }
      if (!seen.insert(name).second) {
        fail(key + ".tensor_maps",
             fmt::format("'{}' stands there twice", name));
      }
      const auto holds = [&](const std::vector<std::string>& names) {
        return std::find(names.begin(), names.end(), map->tensor) !=
               names.end();
      };
      if (!holds(launch.reads) && !holds(launch.writes)) {
        fail(key + ".tensor_maps",
             fmt::format("'{}' maps '{}', which this launch neither reads nor "
                         "writes",
                         name, map->tensor));
      }
    }
  }

  const ScratchTensor* find_scratch(std::string_view name) const {
    for (const ScratchTensor& scratch : plan_.scratch) {
      if (scratch.name == name) return &scratch;
    }
    return nullptr;
  }

  void check_variant(const Variant& variant, const std::string& key) {
    const auto plain = [](char c) {
      return is_identifier(std::string_view(&c, 1)) || (c >= '0' && c <= '9') ||
             c == '-' || c == '.';
    };
    if (variant.name.empty() || variant.name.size() > kMaxNameBytes ||
        !std::all_of(variant.name.begin(), variant.name.end(), plain)) {
      fail(key + ".name",
           fmt::format("expected at most {} letters, digits, _ - or .",
                       kMaxNameBytes));
    }
    if (variant.when.tests_equality_of(kLengthLetter)) {
      fail(key + ".when",
           fmt::format("'{}' tests {} for equality, which fits one length "
                       "only; use < <= > >=",
                       variant.when.text(), kLengthLetter));
    }
    check_overrides(variant, key + ".parameters.");
    if (variant.launches.empty()) fail(key + ".launch", "no launch");

    std::set<std::string> written;
    std::map<std::string, const Launch*> kernels;
    for (std::size_t i = 0; i < variant.launches.size(); ++i) {
      const Launch& launch = variant.launches[i];
      const std::string launch_key = fmt::format("{}.launch[{}]", key, i);
      check_launch(launch, launch_key, written);
      check_cuda(launch.cuda, i, launch, launch_key);
      const auto [first, added] = kernels.emplace(launch.kernel, &launch);
      if (!added && (first->second->reads != launch.reads ||
                     first->second->writes != launch.writes)) {
        fail(launch_key, fmt::format("'{}' is launched before with other reads "
                                     "or writes; they are its signature",
                                     launch.kernel));
      }
      if (!added && !is_compiled_alike(first->second->cuda, launch.cuda)) {
        fail(launch_key,
             fmt::format("'{}' is launched before with other tensor_maps, "
                         "max_threads or min_blocks; it is compiled once",
                         launch.kernel));
      }
    }
  }

  void check_overrides(const Variant& variant, const std::string& prefix) {
    for (const auto& [name, value] : variant.parameters) {
      const Parameter* parameter = plan_.find_parameter(name);
      if (!parameter) {
        std::vector<std::string> known;
        for (const Parameter& each : plan_.parameters) {
          known.push_back(each.name);
        }
        fail(prefix + name, "no such parameter" + did_you_mean(name, known));
      } else if (std::find(parameter->choices.begin(), parameter->choices.end(),
                           value) == parameter->choices.end()) {
        fail(prefix + name, fmt::format("{} is not among choices [{}]", value,
                                        fmt::join(parameter->choices, ", ")));
      }
    }
  }

  void check_launch(const Launch& launch, const std::string& key,
                    std::set<std::string>& written) {
    const std::string wrong = what_is_wrong_with_name(launch.kernel);
    if (!wrong.empty()) fail(key + ".kernel", wrong);
    const auto taken = declared_.find(launch.kernel);
    if (taken != declared_.end()) {
      fail(key + ".kernel",
           fmt::format("the name is taken by {}", taken->second));
    }
    if (launch.writes.empty()) {
      fail(key + ".writes", "empty; a kernel must write something");
    }
    std::set<std::string> seen;
    for (const std::string& name : launch.writes) {
      if (!seen.insert(name).second) {
        fail(key + ".writes", fmt::format("'{}' stands there twice", name));
      }
    }
    for (const std::string& name : launch.reads) {
      const ScratchTensor* scratch = find_scratch(name);
      if (scratch && scratch->init == ScratchInit::poison &&
          !written.contains(name)) {
        fail(key + ".reads",
             fmt::format("scratch '{}' is read before any launch of this "
                         "variant writes it",
                         name));
      }
      if (!seen.insert(name).second) {
        fail(key + ".reads",
             fmt::format("'{}' stands there twice or in writes too; what is "
                         "written can also be read",
                         name));
      }
    }
    written.insert(launch.writes.begin(), launch.writes.end());
  }

  const KernelPlan& plan_;
  const PlanLines& lines_;
  std::map<std::string, std::string> declared_;  // name -> key
  std::string error_;
};

}  // namespace

Result<void> check_plan(const KernelPlan& plan, const PlanLines& lines) {
  return PlanChecker(plan, lines).check();
}

}  // namespace evoke
