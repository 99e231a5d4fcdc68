#include "evoke/proposers/parameters/crossover.h"

#include <algorithm>

#include "evoke/proposers/parameters/genes.h"
#include "evoke/proposers/parameters/merge.h"

namespace evoke::parameters {
namespace {

bool same_parameters(const KernelPlan& a, const KernelPlan& b) {
  return std::equal(a.parameters.begin(), a.parameters.end(),
                    b.parameters.begin(), b.parameters.end(),
                    [](const Parameter& x, const Parameter& y) {
                      return x.name == y.name && x.choices == y.choices;
                    });
}

bool takes_everything(const Variant& variant) {
  return variant.when.names().empty();
}

// The mate's variant `index` on the parent's place of the same name. Where the
// parent has none of that name (it was never divided), in front of the one
// that follows in the mate.
std::optional<KernelPlan> with_variant(const KernelPlan& parent,
                                       const KernelPlan& mate,
                                       std::size_t index) {
  if (parent.scratch != mate.scratch || parent.derived != mate.derived) {
    return std::nullopt;
  }
  KernelPlan plan = parent;
  auto place = find_variant(plan, mate.variants[index].name);
  if (!place && index + 1 < mate.variants.size()) {
    place = find_variant(plan, mate.variants[index + 1].name);
    if (place) {
      plan.variants.insert(
          plan.variants.begin() + static_cast<std::ptrdiff_t>(*place),
          Variant());
    }
  }
  if (!place) return std::nullopt;
  plan.variants[*place] = mate.variants[index];
  for (const Parameter& parameter : plan.parameters) {
    set_effective_value(
        plan, *place, parameter,
        effective_value(mate, index, *mate.find_parameter(parameter.name)));
  }
  return plan;
}

}  // namespace

std::optional<KernelPlan> recombined(const KernelPlan& parent,
                                     const KernelPlan& mate, Rng& rng) {
  const bool fits = same_parameters(parent, mate) &&
                    std::equal(parent.variants.begin(), parent.variants.end(),
                               mate.variants.begin(), mate.variants.end(),
                               [](const Variant& a, const Variant& b) {
                                 return a.name == b.name;
                               });
  if (!fits) return std::nullopt;
  KernelPlan plan = parent;
  for (std::size_t i = 0; i < plan.parameters.size(); ++i) {
    if (rng.chance(0.5)) plan.parameters[i].value = mate.parameters[i].value;
  }
  for (std::size_t v = 0; v < plan.variants.size(); ++v) {
    for (const Parameter& parameter : parent.parameters) {
      const auto& overrides =
          (rng.chance(0.5) ? parent : mate).variants[v].parameters;
      const auto found = overrides.find(parameter.name);
      if (found == overrides.end()) {
        plan.variants[v].parameters.erase(parameter.name);
      } else {
        plan.variants[v].parameters[parameter.name] = found->second;
      }
    }
  }
  return plan;
}

std::optional<VariantCrossover> cross_variants(const KernelSource& parent,
                                               const KernelSource& mate,
                                               std::size_t chosen) {
  const auto& mine = parent.plan().variants;
  const auto& theirs = mate.plan().variants;
  const Variant& variant = theirs[chosen];
  if (parent.code() == mate.code() &&
      same_parameters(parent.plan(), mate.plan())) {
    if (mine.size() < 2) return std::nullopt;  // that would be the mate
    auto plan = with_variant(parent.plan(), mate.plan(), chosen);
    if (!plan) return std::nullopt;
    return VariantCrossover{*std::move(plan), std::string(parent.code())};
  }
  // A variant for some shapes goes in front, or replaces its namesake; one
  // for all shapes replaces the one that the parent has for the rest.
  std::size_t place = mine.size();
  if (takes_everything(variant)) {
    if (mine.size() < 2) return std::nullopt;
    place = mine.size() - 1;
  } else {
    place = find_variant(parent.plan(), variant.name).value_or(place);
  }
  auto result = merged(parent, mate, chosen, place);
  if (!result) return std::nullopt;
  return VariantCrossover{std::move(result->plan), std::move(result->code)};
}

}  // namespace evoke::parameters
