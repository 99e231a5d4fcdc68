#include "evoke/proposers/parameters/simplify.h"

#include <algorithm>
#include <utility>

#include "evoke/core/kernel_text.h"
#include "evoke/proposers/parameters/genes.h"
#include "evoke/proposers/parameters/source_items.h"
#include "evoke/proposers/parameters/usage.h"

namespace evoke::parameters {
namespace {

bool always_holds(const Expression& condition) {
  if (!condition.names().empty()) return false;
  const auto value = condition.evaluate({});
  return value && *value != 0;
}

bool is_launched_with(const KernelPlan& plan, const std::string& tensor) {
  for (const Variant& variant : plan.variants) {
    for (const Launch& launch : variant.launches) {
      for (const auto* names : {&launch.reads, &launch.writes}) {
        if (std::find(names->begin(), names->end(), tensor) != names->end()) {
          return true;
        }
      }
    }
  }
  return false;
}

// Every name that the plan's expressions use.
Names names_in(const KernelPlan& plan) {
  Names names;
  const auto add = [&](const Expression& expression) {
    names.insert(expression.names().begin(), expression.names().end());
  };
  for (const Expression& constraint : plan.constraints) add(constraint);
  for (const Derived& derived : plan.derived) add(derived.value);
  for (const Variant& variant : plan.variants) {
    names.merge(names_in_plan(plan, variant));
  }
  return names;
}

Names launched_kernels(const KernelPlan& plan) {
  Names kernels;
  for (const Variant& variant : plan.variants) {
    for (const Launch& launch : variant.launches) kernels.insert(launch.kernel);
  }
  return kernels;
}

}  // namespace

KernelPlan simplified_plan(const KernelPlan& before, std::string_view code) {
  KernelPlan plan = normalised(before);
  const auto catch_all =
      std::find_if(plan.variants.begin(), plan.variants.end(),
                   [](const auto& each) { return always_holds(each.when); });
  if (catch_all != plan.variants.end()) {
    plan.variants.erase(catch_all + 1, plan.variants.end());
  }
  std::erase_if(plan.scratch, [&](const ScratchTensor& scratch) {
    return !is_launched_with(plan, scratch.name);
  });
  Names in_code;
  for (const SourceItem& item : items_of(code).items) {
    in_code.insert(item.identifiers.begin(), item.identifiers.end());
  }
  // Also in directives and in whatever else was not understood.
  const auto stands_in_code = [&](const std::string& name) {
    return in_code.contains(name) || code.find(name) != code.npos;
  };
  // One removal may free the next.
  for (bool changed = true; std::exchange(changed, false);) {
    const Names in_plan = names_in(plan);
    const auto unused = [&](const auto& each) {
      return !in_plan.contains(each.name) && !stands_in_code(each.name);
    };
    changed = std::erase_if(plan.derived, unused) > 0 ||
              std::erase_if(plan.parameters, unused) > 0;
  }
  for (Variant& variant : plan.variants) {
    std::erase_if(variant.parameters, [&](const auto& entry) {
      return !plan.find_parameter(entry.first);
    });
  }
  return plan;
}

std::string simplified_code(const KernelPlan& plan, std::string_view code) {
  const SourceItems source = items_of(code);
  if (!source.understood) return std::string(code);
  const auto used = items_in_use(source.items, launched_kernels(plan));
  std::vector<std::pair<std::size_t, std::size_t>> mutable_ranges;
  for (const TextSegment& segment : segments_of(code, 1)) {
    if (!segment.mutable_text || segment.lines.empty()) continue;
    const auto begin =
        static_cast<std::size_t>(segment.lines.front().data() - code.data());
    const auto end =
        static_cast<std::size_t>(segment.lines.back().data() - code.data()) +
        segment.lines.back().size();
    mutable_ranges.emplace_back(begin, end);
  }
  std::string out;
  std::size_t copied = 0;
  for (std::size_t i = 0; i < source.items.size(); ++i) {
    const SourceItem& item = source.items[i];
    const bool may_go = std::any_of(
        mutable_ranges.begin(), mutable_ranges.end(), [&](const auto& range) {
          return range.first <= item.begin && item.end <= range.second;
        });
    if (used[i] || !may_go) continue;
    out.append(code.substr(copied, item.begin - copied));
    copied = item.end;
    // A line that held nothing else goes as well.
    if (copied < code.size() && code[copied] == '\n' &&
        (out.empty() || out.back() == '\n')) {
      ++copied;
    }
  }
  out.append(code.substr(copied));
  return out;
}

Result<KernelSource> simplified(const KernelSource& kernel) {
  // Code first: what goes there may free parameters.
  std::string code(kernel.code());
  KernelPlan plan = kernel.plan();
  plan = simplified_plan(plan, code);
  code = simplified_code(plan, code);
  plan = simplified_plan(plan, code);
  return KernelSource::parse(format_kernel(plan, code), kernel.dialect(),
                             kernel.path());
}

}  // namespace evoke::parameters
