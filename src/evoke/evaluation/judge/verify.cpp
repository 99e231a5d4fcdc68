#include "evoke/evaluation/judge/verify.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "evoke/evaluation/judge/case_feed.h"
#include "evoke/evaluation/judge/loaded_kernel.h"

namespace evoke::judge {
namespace {

// A kernel in a runner, and the gate that knows what it did there.
struct Examinee {
  LoadedKernel kernel;
  Gate gate;
  Examinee(std::shared_ptr<Runner> runner, const KernelBuild& build,
           const GateOptions& options)
      : kernel(std::move(runner), build),
        gate(kernel, options, secret_seed()) {}
};

}  // namespace

bool VerifyReport::right() const {
  return !refusal && !cases.empty() &&
         std::none_of(cases.begin(), cases.end(), [](const CaseResult& each) {
           return each.failure.has_value();
         });
}

RunnerResult<VerifyReport> verify(Workbench& bench, const std::string& text,
                                  const std::string& path,
                                  const Workload& workload,
                                  const VerifyOptions& options) {
  VerifyReport report;
  auto build = bench.plan(text, path, {});
  if (!build) {
    report.refusal = {OutcomeKind::rejected_plan, build.error().message};
    return report;
  }
  Workload taken = workload;
  std::erase_if(taken.shapes, [&](const WorkloadShape& each) {
    const auto plan = build->plan_for(each.shape);
    if (plan || plan.error().kind != ErrorKind::absent) return false;
    report.shapes_left_out.push_back(each.shape.name);
    return true;
  });
  const auto cases =
      bench.problem().gate_cases(build->source(), taken, options.level);
  std::vector<Shape> shapes;
  for (const GateCase& each : cases) shapes.push_back(each.shape);
  auto refusal = bench.compile(*build, shapes);
  if (!refusal) return fault_of(refusal);
  if (*refusal) {
    report.refusal = std::move(*refusal);
    return report;
  }
  for (const auto& [unit, compiled] : build->units()) {
    report.units.push_back({unit, compiled->compiled.artifact});
  }
  std::unique_ptr<Examinee> examinee;
  CaseFeed feed(bench, cases, options.draw);
  while (!feed.done()) {
    if (options.stop && options.stop()) break;
    auto fresh = feed.next();
    if (!fresh) return own_fault(fresh.error());
    if (!examinee || !examinee->kernel.runner().usable()) {
      auto runner = bench.candidate_runner();
      if (!runner) return fault_of(runner);
      examinee =
          std::make_unique<Examinee>(std::move(*runner), *build, options.gate);
    }
    const auto share = bench.lock().share(bench.stop());
    if (!share) return fault(RunnerFault::Kind::cancelled, "cancelled");
    report.cases.push_back(examinee->gate.check(**fresh));
    // Whatever a failed case left bound or loaded goes with its runner. (Of a
    // kernel that is only wrong a GPU keeps nothing that others could find.)
    const auto failure = report.cases.back().failure;
    const bool harmless =
        bench.greeting().own_clock && failure == OutcomeKind::incorrect;
    if (failure && !harmless) examinee.reset();
    if (options.progress) {
      options.progress(report.cases.back(),
                       static_cast<int>(report.cases.size()),
                       static_cast<int>(cases.size()));
    }
  }
  return report;
}

}  // namespace evoke::judge
