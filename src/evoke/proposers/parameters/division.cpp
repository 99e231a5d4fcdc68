#include "evoke/proposers/parameters/division.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "evoke/proposers/parameters/genes.h"

namespace evoke::parameters {
namespace {

// Which variant takes the shape.
std::optional<std::size_t> variant_for(const KernelPlan& plan,
                                       const Symbols& shape) {
  for (std::size_t v = 0; v < plan.variants.size(); ++v) {
    const auto holds =
        plan.variants[v].when.evaluate(symbols_in(plan, v, shape));
    if (!holds) return std::nullopt;
    if (*holds != 0) return v;
  }
  return std::nullopt;
}

int64_t half_way(int64_t low, int64_t high) {
  const double middle =
      std::sqrt(static_cast<double>(low) * static_cast<double>(high));
  return std::clamp(static_cast<int64_t>(middle), low, high - 1);
}

}  // namespace

std::vector<Division> divisions_of(const KernelPlan& plan,
                                   const std::vector<Symbols>& shapes) {
  std::map<std::size_t, std::vector<const Symbols*>> served;
  for (const Symbols& shape : shapes) {
    if (const auto variant = variant_for(plan, shape)) {
      served[*variant].push_back(&shape);
    }
  }
  std::vector<Division> divisions;
  for (const auto& [variant, taken] : served) {
    std::set<std::vector<bool>> known;  // who lies on the lower side
    for (const auto& [size, unused] : *taken.front()) {
      std::set<int64_t> values;
      for (const Symbols* shape : taken) values.insert(shape->at(size));
      while (values.size() > 1) {
        const int64_t low = *values.begin();
        values.erase(values.begin());
        if (low < 1) continue;
        std::vector<bool> lower;
        for (const Symbols* shape : taken) {
          lower.push_back(shape->at(size) <= low);
        }
        if (!known.insert(std::move(lower)).second) continue;
        divisions.push_back({variant, size, half_way(low, *values.begin())});
      }
    }
  }
  return divisions;
}

KernelPlan divided(KernelPlan plan, const Division& division) {
  const auto place =
      plan.variants.begin() + static_cast<std::ptrdiff_t>(division.variant);
  Variant lower = *place;
  const std::string side =
      fmt::format("{} <= {}", division.size, division.largest);
  const bool always = lower.when.names().empty();
  if (auto when = Expression::parse(
          always ? side : fmt::format("({}) && {}", lower.when.text(), side))) {
    lower.when = *std::move(when);
  }
  lower.name =
      fmt::format("{}-{}{}", lower.name, division.size, division.largest);
  while (find_variant(plan, lower.name)) lower.name += "-";
  plan.variants.insert(place, std::move(lower));
  return plan;
}

}  // namespace evoke::parameters
