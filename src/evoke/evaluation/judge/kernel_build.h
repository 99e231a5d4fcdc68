// A kernel file on its way to running: planned for each shape, compiled unit
// by unit. Belongs to one thread at a time.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "evoke/base/json.h"
#include "evoke/core/kernel_source.h"
#include "evoke/core/launch_plan.h"
#include "evoke/core/problem.h"
#include "evoke/evaluation/judge/unit_compiler.h"

namespace evoke::judge {

class KernelBuild {
 public:
  // Stage 0: the text's limits, its names, forbidden constructs, and a plan
  // for every shape named. Errors are fit for a prompt.
  static Result<KernelBuild> plan(const std::string& text, Dialect dialect,
                                  const std::string& path,
                                  const ProblemSignature& signature,
                                  const DeviceLimits& limits,
                                  const std::vector<Shape>& shapes);

  const KernelSource& source() const { return source_; }
  const ProblemSignature& signature() const { return *signature_; }
  // `absent`: no variant takes this shape.
  Result<LaunchPlan> plan_for(const Shape& shape) const;
  // Everything that one run of this shape depends on: machine code and how it
  // is launched. Null where there is no plan, or its unit was not compiled.
  Json identity_at(const Shape& shape) const;

  using Unit = std::shared_ptr<const CompiledUnit>;
  // Compiles, or remembers.
  RunnerResult<Unit> unit(UnitCompiler& compiler, const CompileUnit& unit,
                          const std::function<bool()>& stop);
  const std::map<CompileUnit, Unit>& units() const { return units_; }

 private:
  KernelBuild(KernelSource source, const ProblemSignature& signature,
              const DeviceLimits& limits)
      : source_(std::move(source)), signature_(&signature), limits_(limits) {}

  KernelSource source_;
  const ProblemSignature* signature_;
  DeviceLimits limits_;
  std::map<CompileUnit, Unit> units_;
};

}  // namespace evoke::judge
