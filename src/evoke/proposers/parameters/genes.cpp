#include "evoke/proposers/parameters/genes.h"

#include <fmt/format.h>

#include <algorithm>

namespace evoke::parameters {
namespace {

std::size_t index_of(const KernelPlan& plan, const std::string& name) {
  return static_cast<std::size_t>(plan.find_parameter(name) -
                                  plan.parameters.data());
}

void append(std::string& text, const std::string& more) {
  if (!text.empty()) text.append("; ");
  text.append(more);
}

}  // namespace

std::vector<Gene> genes_of(const KernelPlan& plan) {
  std::vector<Gene> genes;
  for (std::size_t i = 0; i < plan.parameters.size(); ++i) {
    if (plan.parameters[i].choices.size() > 1) {
      genes.push_back({Gene::kGlobal, i});
    }
  }
  for (std::size_t v = 0; v < plan.variants.size(); ++v) {
    for (const auto& [name, value] : plan.variants[v].parameters) {
      const std::size_t index = index_of(plan, name);
      if (plan.parameters[index].choices.size() > 1)
        genes.push_back({v, index});
    }
  }
  return genes;
}

std::vector<int64_t> choices_of(const KernelPlan& plan, const Gene& gene) {
  std::vector<int64_t> choices = plan.parameters[gene.parameter].choices;
  std::sort(choices.begin(), choices.end());
  return choices;
}

int64_t value_of(const KernelPlan& plan, const Gene& gene) {
  const Parameter& parameter = plan.parameters[gene.parameter];
  return gene.variant == Gene::kGlobal
             ? parameter.value
             : effective_value(plan, gene.variant, parameter);
}

void set_value(KernelPlan& plan, const Gene& gene, int64_t value) {
  Parameter& parameter = plan.parameters[gene.parameter];
  if (gene.variant == Gene::kGlobal) {
    parameter.value = value;
  } else {
    plan.variants[gene.variant].parameters[parameter.name] = value;
  }
}

int64_t effective_value(const KernelPlan& plan, std::size_t variant,
                        const Parameter& parameter) {
  const auto& overrides = plan.variants[variant].parameters;
  const auto found = overrides.find(parameter.name);
  return found == overrides.end() ? parameter.value : found->second;
}

void set_effective_value(KernelPlan& plan, std::size_t variant,
                         const Parameter& parameter, int64_t value) {
  auto& overrides = plan.variants[variant].parameters;
  if (value == parameter.value) {
    overrides.erase(parameter.name);
  } else {
    overrides[parameter.name] = value;
  }
}

Symbols symbols_in(const KernelPlan& plan, std::size_t variant, Symbols facts) {
  for (const Parameter& parameter : plan.parameters) {
    facts[parameter.name] = effective_value(plan, variant, parameter);
  }
  return facts;
}

std::optional<std::size_t> find_variant(const KernelPlan& plan,
                                        const std::string& name) {
  for (std::size_t v = 0; v < plan.variants.size(); ++v) {
    if (plan.variants[v].name == name) return v;
  }
  return std::nullopt;
}

KernelPlan normalised(KernelPlan plan) {
  for (Variant& variant : plan.variants) {
    std::erase_if(variant.parameters, [&](const auto& entry) {
      const Parameter* parameter = plan.find_parameter(entry.first);
      return parameter && parameter->value == entry.second;
    });
  }
  return plan;
}

bool constraints_hold(const KernelPlan& plan,
                      const std::vector<Symbols>& known) {
  const std::vector<Symbols> nothing(1);
  for (const Symbols& facts : known.empty() ? nothing : known) {
    for (std::size_t v = 0; v < plan.variants.size(); ++v) {
      const Symbols symbols = symbols_in(plan, v, facts);
      for (const Expression& constraint : plan.constraints) {
        const bool decidable = std::all_of(
            constraint.names().begin(), constraint.names().end(),
            [&](const std::string& name) { return symbols.contains(name); });
        if (!decidable) continue;
        const auto holds = constraint.evaluate(symbols);
        if (!holds || *holds == 0) return false;
      }
    }
  }
  return true;
}

std::string describe_change(const KernelPlan& before, const KernelPlan& after) {
  std::string text;
  for (const Parameter& parameter : after.parameters) {
    const Parameter* old = before.find_parameter(parameter.name);
    if (!old) {
      append(text, fmt::format("new {} = {}", parameter.name, parameter.value));
    } else if (old->value != parameter.value) {
      append(text, fmt::format("{} {} -> {}", parameter.name, old->value,
                               parameter.value));
    }
  }
  for (std::size_t v = 0; v < after.variants.size(); ++v) {
    const Variant& variant = after.variants[v];
    const auto old_index = find_variant(before, variant.name);
    if (!old_index) {
      append(text, fmt::format("new variant {}", variant.name));
      continue;
    }
    const Variant* old = &before.variants[*old_index];
    if (old->launches != variant.launches || !(old->when == variant.when)) {
      append(text, fmt::format("{}: other launches", variant.name));
    }
    for (const Parameter& parameter : after.parameters) {
      const Parameter* was = before.find_parameter(parameter.name);
      // What the global change says already is not said again.
      const bool overridden = old->parameters.contains(parameter.name) ||
                              variant.parameters.contains(parameter.name);
      if (!was || !overridden) continue;
      const int64_t from = effective_value(before, *old_index, *was);
      const int64_t to = effective_value(after, v, parameter);
      if (from == to) continue;
      append(text, fmt::format("{}: {} {} -> {}", variant.name, parameter.name,
                               from, to));
    }
  }
  for (const Variant& variant : before.variants) {
    if (!find_variant(after, variant.name)) {
      append(text, fmt::format("without variant {}", variant.name));
    }
  }
  return text;
}

}  // namespace evoke::parameters
