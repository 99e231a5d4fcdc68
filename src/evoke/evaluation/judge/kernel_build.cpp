#include "evoke/evaluation/judge/kernel_build.h"

#include <utility>

namespace evoke::judge {

Result<KernelBuild> KernelBuild::plan(const std::string& text, Dialect dialect,
                                      const std::string& path,
                                      const ProblemSignature& signature,
                                      const DeviceLimits& limits,
                                      const std::vector<Shape>& shapes) {
  auto source = KernelSource::parse(text, dialect, path);
  if (!source) return error_of(source);
  if (auto allowed = check_forbidden_text(*source); !allowed) {
    return error_of(allowed);
  }
  if (auto fits = check_signature(*source, signature); !fits) {
    return error_of(fits);
  }
  KernelBuild build(std::move(*source), signature, limits);
  for (const Shape& shape : shapes) {
    if (auto planned = build.plan_for(shape); !planned) {
      return failed(shape.name + ": " + planned.error().message);
    }
  }
  return build;
}

Result<LaunchPlan> KernelBuild::plan_for(const Shape& shape) const {
  return resolve(source_, *signature_, shape, limits_);
}

RunnerResult<KernelBuild::Unit> KernelBuild::unit(
    UnitCompiler& compiler, const CompileUnit& unit,
    const std::function<bool()>& stop) {
  const auto found = units_.find(unit);
  if (found != units_.end()) return found->second;
  auto compiled = compiler.compile(source_, *signature_, unit, stop);
  if (compiled) units_[unit] = *compiled;
  return compiled;
}

}  // namespace evoke::judge
