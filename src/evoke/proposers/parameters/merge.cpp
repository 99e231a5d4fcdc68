#include "evoke/proposers/parameters/merge.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include "evoke/core/kernel_text.h"
#include "evoke/proposers/parameters/simplify.h"
#include "evoke/proposers/parameters/source_items.h"

namespace evoke::parameters {
namespace {

using Renames = std::map<std::string, std::string, std::less<>>;

std::string text_of(const std::vector<TextSegment>& segments,
                    bool mutable_text) {
  std::string text;
  for (const TextSegment& segment : segments) {
    if (segment.mutable_text != mutable_text) continue;
    for (const std::string_view line : segment.lines) {
      text.append(line).append("\n");
    }
  }
  return text;
}

// What stands outside the markers must be the same code, comments aside.
bool same_fixed_text(const std::vector<TextSegment>& a,
                     const std::vector<TextSegment>& b) {
  const auto tokens = [](const std::vector<TextSegment>& segments) {
    std::string all;
    for (const SourceItem& item : items_of(text_of(segments, false)).items) {
      all.append(item.tokens);
    }
    return all;
  };
  return (a.size() > 1) == (b.size() > 1) && tokens(a) == tokens(b);
}

// Only what the chosen variant needs.
KernelPlan plan_of_variant(const KernelSource& mate, std::size_t variant) {
  KernelPlan plan = mate.plan();
  Variant chosen = plan.variants[variant];
  // Its own values become the global ones.
  for (Parameter& parameter : plan.parameters) {
    const auto found = chosen.parameters.find(parameter.name);
    if (found != chosen.parameters.end()) parameter.value = found->second;
  }
  chosen.parameters.clear();
  std::erase_if(plan.tensor_maps, [&](const TensorMap& map) {
    return std::none_of(chosen.launches.begin(), chosen.launches.end(),
                        [&](const Launch& launch) {
                          const auto& names = launch.cuda.tensor_maps;
                          return std::find(names.begin(), names.end(),
                                           map.name) != names.end();
                        });
  });
  plan.variants = {std::move(chosen)};
  return plan;
}

Names declared_names(const KernelPlan& plan, const SourceItems& source) {
  Names names;
  for (const auto& each : plan.parameters) names.insert(each.name);
  for (const auto& each : plan.scratch) names.insert(each.name);
  for (const auto& each : plan.derived) names.insert(each.name);
  for (const auto& each : plan.tensor_maps) names.insert(each.name);
  for (const SourceItem& item : source.items) {
    names.insert(item.names.begin(), item.names.end());
  }
  return names;
}

Names all_names(const KernelPlan& plan, const SourceItems& source) {
  Names names = declared_names(plan, source);
  for (const SourceItem& item : source.items) {
    names.insert(item.identifiers.begin(), item.identifiers.end());
  }
  return names;
}

// Names of the mate's that the parent knows, too, and what they become.
std::optional<Renames> renames_for(const Names& declared, const Names& mine,
                                   const Names& theirs) {
  for (char letter = 'b'; letter <= 'z'; ++letter) {
    const std::string suffix{'_', letter};
    Renames renames;
    bool is_free = true;
    for (const std::string& name : declared) {
      if (!mine.contains(name)) continue;
      const std::string other = name + suffix;
      is_free = is_free && !mine.contains(other) && !theirs.contains(other);
      renames[name] = other;
    }
    if (is_free) return renames;
  }
  return std::nullopt;
}

class PlanRenamer {
 public:
  explicit PlanRenamer(const Renames& renames) : renames_(renames) {}

  bool rename(KernelPlan& plan) {
    for (auto& each : plan.parameters) apply(each.name);
    for (auto& each : plan.constraints) apply(each);
    for (auto& each : plan.scratch) {
      apply(each.name);
      for (auto& extent : each.shape) apply(extent);
    }
    for (auto& each : plan.derived) {
      apply(each.name);
      apply(each.value);
    }
    for (auto& each : plan.tensor_maps) {
      apply(each.name);
      apply(each.tensor);
      for (auto& extent : each.box) apply(extent);
      for (auto& stride : each.element_strides) apply(stride);
      apply(each.swizzle);
      apply(each.l2_promotion);
    }
    for (Variant& variant : plan.variants) {
      apply(variant.when);
      for (Launch& launch : variant.launches) {
        apply(launch.kernel);
        for (auto& name : launch.reads) apply(name);
        for (auto& name : launch.writes) apply(name);
        for (auto& extent : launch.threadgroups) apply(extent);
        for (auto& extent : launch.threads) apply(extent);
        apply(launch.dynamic_memory);
        for (auto& name : launch.cuda.tensor_maps) apply(name);
        for (auto& extent : launch.cuda.cluster) apply(extent);
        apply(launch.cuda.max_threads);
        apply(launch.cuda.min_blocks);
      }
    }
    return sound_;
  }

 private:
  void apply(std::string& name) {
    const auto found = renames_.find(name);
    if (found != renames_.end()) name = found->second;
  }
  void apply(Expression& expression) {
    auto renamed =
        Expression::parse(rename_identifiers(expression.text(), renames_));
    sound_ = sound_ && renamed.has_value();
    if (renamed) expression = *std::move(renamed);
  }

  const Renames& renames_;
  bool sound_ = true;
};

// Appends `more` to the last stretch of code that may change.
std::string with_code(const KernelSource& parent, const std::string& more) {
  std::string code(parent.code());
  const auto segments = segments_of(parent.code(), 1);
  std::size_t at = code.size();
  for (const TextSegment& segment : segments) {
    if (!segment.mutable_text || segment.lines.empty()) continue;
    const std::string_view last = segment.lines.back();
    at = static_cast<std::size_t>(last.data() - parent.code().data()) +
         last.size();
  }
  if (at < code.size() && code[at] == '\n') ++at;
  const bool line_end = at > 0 && code[at - 1] == '\n';
  code.insert(at, (line_end ? "\n" : "\n\n") + more);
  return code;
}

void add_plan(KernelPlan& plan, KernelPlan&& other, std::size_t place) {
  for (auto& each : other.parameters) plan.parameters.push_back(each);
  std::sort(plan.parameters.begin(), plan.parameters.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  for (auto& each : other.constraints) {
    if (std::find(plan.constraints.begin(), plan.constraints.end(), each) ==
        plan.constraints.end()) {
      plan.constraints.push_back(each);
    }
  }
  for (auto& each : other.scratch) plan.scratch.push_back(each);
  for (auto& each : other.derived) plan.derived.push_back(each);
  for (auto& each : other.tensor_maps) plan.tensor_maps.push_back(each);
  plan.atomics = plan.atomics || other.atomics;

  Variant& variant = other.variants.front();
  if (place == plan.variants.size()) {
    plan.variants.insert(plan.variants.begin(), std::move(variant));
  } else {
    // It answers for the shapes of the variant that it replaces.
    variant.when = plan.variants[place].when;
    plan.variants[place] = std::move(variant);
  }
  // Variants are told apart by their names.
  std::set<std::string> names;
  for (Variant& each : plan.variants) {
    while (!names.insert(each.name).second) each.name.append("-b");
  }
}

}  // namespace

std::optional<MergedKernel> merged(const KernelSource& parent,
                                   const KernelSource& mate,
                                   std::size_t variant, std::size_t place) {
  const auto mine = segments_of(parent.code(), 1);
  const auto theirs = segments_of(mate.code(), 1);
  if (!same_fixed_text(mine, theirs)) return std::nullopt;

  KernelPlan their_plan = plan_of_variant(mate, variant);
  std::string their_code =
      simplified_code(their_plan, text_of(theirs, /*mutable_text=*/true));
  their_plan = simplified_plan(their_plan, their_code);
  const SourceItems their_items = items_of(their_code);
  const SourceItems my_items = items_of(parent.code());
  if (!their_items.understood || !my_items.understood) return std::nullopt;

  const Names my_names = all_names(parent.plan(), my_items);
  auto renames = renames_for(declared_names(their_plan, their_items), my_names,
                             all_names(their_plan, their_items));
  if (!renames) return std::nullopt;
  if (!PlanRenamer(*renames).rename(their_plan)) return std::nullopt;
  // Tensors bring their shapes and strides along.
  for (const auto& [name, other] : Renames(*renames)) {
    (*renames)[name + "_shape"] = other + "_shape";
    (*renames)[name + "_strides"] = other + "_strides";
  }
  their_code = rename_identifiers(their_code, *renames);

  MergedKernel result;
  result.plan = parent.plan();
  add_plan(result.plan, std::move(their_plan), place);
  result.code = with_code(parent, their_code);
  if (result.code.size() > kMaxMergedBytes) return std::nullopt;
  return result;
}

}  // namespace evoke::parameters
