// A plan as canonical TOML. parse(format(plan)) == plan, and formatting again
// gives the same text.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "evoke/core/kernel_source.h"
#include "evoke/core/toml_reader.h"

namespace evoke {
namespace {

// Integers stand bare, other expressions in quotes.
std::string formatted(const Expression& expression) {
  const std::string& text = expression.text();
  const std::size_t digits = text.starts_with('-') ? 1 : 0;
  const bool integer =
      text.size() > digits &&
      std::all_of(text.begin() + static_cast<std::ptrdiff_t>(digits),
                  text.end(), [](char c) { return c >= '0' && c <= '9'; });
  return integer ? text : toml_quoted(text);
}

template <typename Items, typename Format>
std::string joined(const Items& items, Format format) {
  std::string text = "[";
  for (const auto& item : items) {
    if (text.size() > 1) text.append(", ");
    text.append(format(item));
  }
  return text + "]";
}

std::string joined(const std::vector<std::string>& names) {
  return joined(names, toml_quoted);
}

void format_parameters(const KernelPlan& plan, std::string& out) {
  if (plan.parameters.empty() && plan.constraints.empty()) return;
  out.append("\n[parameters]\n");
  for (const Parameter& parameter : plan.parameters) {
    fmt::format_to(std::back_inserter(out),
                   "{} = {{ value = {}, choices = [{}] }}\n", parameter.name,
                   parameter.value, fmt::join(parameter.choices, ", "));
  }
  if (plan.constraints.empty()) return;
  out.append("constraints = [\n");
  for (const Expression& constraint : plan.constraints) {
    fmt::format_to(std::back_inserter(out), "  {},\n", formatted(constraint));
  }
  out.append("]\n");
}

void format_scratch(const KernelPlan& plan, std::string& out) {
  if (!plan.scratch.empty()) out.append("\n[scratch]\n");
  for (const ScratchTensor& scratch : plan.scratch) {
    fmt::format_to(std::back_inserter(out),
                   "{} = {{ type = \"{}\", shape = {}{}{} }}\n", scratch.name,
                   to_string(scratch.type), joined(scratch.shape, formatted),
                   scratch.init == ScratchInit::zero ? ", init = \"zero\"" : "",
                   scratch.self_reset ? ", self_reset = true" : "");
  }
}

void format_tensor_map(const TensorMap& map, std::string& out) {
  auto at = std::back_inserter(out);
  const auto dimension = [](const std::vector<int64_t>& merged) {
    return merged.size() == 1 ? fmt::format("{}", merged.front())
                              : fmt::format("[{}]", fmt::join(merged, ", "));
  };
  fmt::format_to(at, "\n[tensor_map.{}]\ntensor = {}\n", map.name,
                 toml_quoted(map.tensor));
  if (!map.order.empty()) {
    fmt::format_to(at, "order = {}\n", joined(map.order, dimension));
  }
  fmt::format_to(at, "box = {}\n", joined(map.box, formatted));
  if (!map.element_strides.empty()) {
    fmt::format_to(at, "element_strides = {}\n",
                   joined(map.element_strides, formatted));
  }
  for (const auto& [key, value] :
       {std::pair<const char*, const Expression*>{"swizzle", &map.swizzle},
        {"l2_promotion", &map.l2_promotion}}) {
    if (*value == Expression()) continue;
    fmt::format_to(at, "{} = {}\n", key, formatted(*value));
  }
}

void format_cuda(const CudaLaunch& cuda, std::string& out) {
  const CudaLaunch plain;
  auto at = std::back_inserter(out);
  if (!cuda.tensor_maps.empty()) {
    fmt::format_to(at, "tensor_maps = {}\n", joined(cuda.tensor_maps));
  }
  if (cuda.cluster != plain.cluster) {
    fmt::format_to(at, "cluster = {}\n", joined(cuda.cluster, formatted));
  }
  if (cuda.nonportable) out.append("nonportable = true\n");
  if (cuda.cooperative) out.append("cooperative = true\n");
  if (cuda.pdl) out.append("pdl = true\n");
  for (const auto& [key, value] : {std::pair<const char*, const Expression*>{
                                       "max_threads", &cuda.max_threads},
                                   {"min_blocks", &cuda.min_blocks}}) {
    if (*value == Expression()) continue;
    fmt::format_to(at, "{} = {}\n", key, formatted(*value));
  }
}

void format_launch(const Launch& launch, std::string& out) {
  auto at = std::back_inserter(out);
  fmt::format_to(at, "[[variant.launch]]\nkernel = {}\n",
                 toml_quoted(launch.kernel));
  fmt::format_to(at, "reads = {}\nwrites = {}\n", joined(launch.reads),
                 joined(launch.writes));
  fmt::format_to(at, "threadgroups = {}\nthreads = {}\n",
                 joined(launch.threadgroups, formatted),
                 joined(launch.threads, formatted));
  if (!(launch.dynamic_memory == Expression())) {
    fmt::format_to(at, "dynamic_memory = {}\n",
                   formatted(launch.dynamic_memory));
  }
  format_cuda(launch.cuda, out);
}

void format_variant(const Variant& variant, std::string& out) {
  auto at = std::back_inserter(out);
  fmt::format_to(at, "\n[[variant]]\nname = {}\nwhen = {}\n",
                 toml_quoted(variant.name), formatted(variant.when));
  if (!variant.parameters.empty()) {
    std::string overrides;
    for (const auto& [name, value] : variant.parameters) {
      if (!overrides.empty()) overrides.append(", ");
      fmt::format_to(std::back_inserter(overrides), "{} = {}", name, value);
    }
    fmt::format_to(at, "parameters = {{ {} }}\n", overrides);
  }
  for (const Launch& launch : variant.launches) format_launch(launch, out);
}

}  // namespace

std::string format_plan(const KernelPlan& plan) {
  std::string out = fmt::format("problem = {}\n", toml_quoted(plan.problem));
  if (!plan.summary.empty()) {
    out.append(fmt::format("summary = {}\n", toml_quoted(plan.summary)));
  }
  if (plan.atomics) out.append("atomics = true\n");
  format_parameters(plan, out);
  format_scratch(plan, out);
  if (!plan.derived.empty()) out.append("\n[derive]\n");
  for (const Derived& derived : plan.derived) {
    fmt::format_to(std::back_inserter(out), "{} = {}\n", derived.name,
                   formatted(derived.value));
  }
  for (const TensorMap& map : plan.tensor_maps) format_tensor_map(map, out);
  for (const Variant& variant : plan.variants) format_variant(variant, out);
  return out;
}

}  // namespace evoke
