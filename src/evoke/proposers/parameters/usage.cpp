#include "evoke/proposers/parameters/usage.h"

#include <algorithm>
#include <utility>

namespace evoke::parameters {
namespace {

void add(Names& names, const Expression& expression) {
  names.insert(expression.names().begin(), expression.names().end());
}

template <typename Expressions>
void add_each(Names& names, const Expressions& expressions) {
  for (const Expression& each : expressions) add(names, each);
}

void add_launch(Names& names, const KernelPlan& plan, const Launch& launch) {
  add_each(names, launch.threadgroups);
  add_each(names, launch.threads);
  add(names, launch.dynamic_memory);
  add_each(names, launch.cuda.cluster);
  add(names, launch.cuda.max_threads);
  add(names, launch.cuda.min_blocks);
  const auto lists = [](const std::vector<std::string>& list,
                        const std::string& name) {
    return std::find(list.begin(), list.end(), name) != list.end();
  };
  for (const TensorMap& map : plan.tensor_maps) {
    if (!lists(launch.cuda.tensor_maps, map.name)) continue;
    add_each(names, map.box);
    add_each(names, map.element_strides);
    add(names, map.swizzle);
    add(names, map.l2_promotion);
  }
  for (const ScratchTensor& scratch : plan.scratch) {
    if (lists(launch.reads, scratch.name) ||
        lists(launch.writes, scratch.name)) {
      add_each(names, scratch.shape);
    }
  }
}

// A derived integer is made of those before it.
void add_derived(Names& names, const KernelPlan& plan) {
  for (auto each = plan.derived.rbegin(); each != plan.derived.rend(); ++each) {
    if (names.contains(each->name)) add(names, each->value);
  }
}

}  // namespace

Names names_in_plan(const KernelPlan& plan, const Variant& variant) {
  Names names;
  add(names, variant.when);
  for (const Launch& launch : variant.launches) {
    add_launch(names, plan, launch);
  }
  add_derived(names, plan);
  return names;
}

std::vector<Names> names_in_use(const KernelSource& kernel) {
  const KernelPlan& plan = kernel.plan();
  const SourceItems source = items_of(kernel.code());
  std::vector<Names> in_use;
  for (const Variant& variant : plan.variants) {
    Names kernels;
    for (const Launch& launch : variant.launches) kernels.insert(launch.kernel);
    std::vector<bool> reached = items_in_use(source.items, kernels);
    if (!source.understood) reached.assign(reached.size(), true);
    Names names = names_in_plan(plan, variant);
    for (std::size_t i = 0; i < source.items.size(); ++i) {
      if (!reached[i]) continue;
      const Names& more = source.items[i].identifiers;
      names.insert(more.begin(), more.end());
    }
    add_derived(names, plan);
    in_use.push_back(std::move(names));
  }
  return in_use;
}

}  // namespace evoke::parameters
