#include "evoke/evaluation/judge/kernel_build.h"

#include <utility>

#include "evoke/evaluation/protocol/plan_json.h"

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

Json KernelBuild::identity_at(const Shape& shape) const {
  auto plan = plan_for(shape);
  if (!plan) return nullptr;
  const auto unit = units_.find(unit_of(*plan));
  if (unit == units_.end()) return nullptr;
  // The code holds the constants already; which variant of the file it came
  // from does not matter.
  plan->constants.clear();
  plan->variant = 0;
  return Json::array({unit->second->code_hash, protocol::to_json(*plan)});
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
