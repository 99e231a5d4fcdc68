// The plan of a kernel file: TOML to KernelPlan. For core, and for whom a plan
// without code is all there is.
#pragma once

#include <string_view>

#include "evoke/base/error.h"
#include "evoke/core/kernel_source.h"

namespace evoke {

struct ParsedPlan {
  KernelPlan plan;
  PlanLines lines;
};

// `first_line`: line of the file on which `toml` begins.
Result<ParsedPlan> parse_plan(std::string_view toml, int first_line,
                              Dialect dialect, std::string_view path);

// What a plan must hold by itself, whatever the problem: names, defaults among
// choices, overrides of known parameters, scratch written before it is read.
Result<void> check_plan(const KernelPlan& plan, const PlanLines& lines);

}  // namespace evoke
