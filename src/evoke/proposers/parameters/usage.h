// Which names the variants of a kernel file use: a parameter that is not among
// them changes nothing there.
#pragma once

#include <vector>

#include "evoke/core/kernel_source.h"
#include "evoke/proposers/parameters/source_items.h"

namespace evoke::parameters {

// In its condition, its launches, and what those name: tensor maps, scratch,
// derived integers.
Names names_in_plan(const KernelPlan& plan, const Variant& variant);

// The same and all that the code of its kernels reaches, one entry per
// variant. Too many rather than too few: where the code is not understood,
// every name in it.
std::vector<Names> names_in_use(const KernelSource& kernel);

}  // namespace evoke::parameters
